"""The pictures and the page in docs/ are what the specs would give now."""

from __future__ import annotations

import re

from viz.gallery import DOCS, files, stale


def test_nothing_is_stale() -> None:
    assert stale() == [], "run `make figures`"


def test_every_figure_is_drawn_and_shown() -> None:
    names = {path.name for path in files()}
    page = (DOCS / "FIGURES.md").read_text(encoding="utf-8")
    assert {f"figure_{n}.svg" for n in range(1, 21)} < names
    assert set(re.findall(r"figures/(\w+\.svg)", page)) == names - {"FIGURES.md"}


def test_counts_are_those_of_the_print() -> None:
    page = (DOCS / "FIGURES.md").read_text(encoding="utf-8")
    pairs = re.findall(r"Printed: (.+?)\. Drawn: (.+?)\.\n", page)
    assert len(pairs) == 20
    assert [printed for printed, drawn in pairs if printed != drawn] == []
