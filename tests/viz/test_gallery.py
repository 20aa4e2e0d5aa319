"""The pictures and the page in docs/ are what the specs would give now."""

from __future__ import annotations

import re

from viz.gallery import DOCS, ZOO, files, stale


def test_nothing_is_stale() -> None:
    assert stale() == [], "run `make figures`"


def test_every_figure_is_drawn_and_shown() -> None:
    names = {path.name for path in files()}
    page = (DOCS / "FIGURES.md").read_text(encoding="utf-8")
    assert {f"figure_{n}.svg" for n in range(1, 21)} < names
    page += (DOCS / "ZOO.md").read_text(encoding="utf-8")
    assert set(re.findall(r"figures/(\w+\.svg)", page)) == names - {"FIGURES.md", "ZOO.md"}


def test_the_zoo_is_shown_closed_and_open() -> None:
    """Counts of torchvision's documentation, Xception's of timm's; Inception-v3 has both heads."""
    page = (DOCS / "ZOO.md").read_text(encoding="utf-8")
    counts = [
        *(r"11\.7 M", r"25\.6 M", r"138 M", r"6\.62 M", r"27\.2 M", r"22\.9 M", r"1\.24 M"),
        *(r"2\.28 M", r"3\.50 M", r"5\.48 M", r"5\.29 M", r"28\.6 M"),
    ]
    for name, count in zip(ZOO, counts, strict=True):
        section = page[page.index(f"`specs/zoo/{name}.yaml`") - 60 :]
        assert re.search(rf"{count} parameters", section[:80])
        assert section.index(f"zoo_{name}.svg") < section.index(f"zoo_{name}_open.svg")


def test_counts_are_those_of_the_print() -> None:
    page = (DOCS / "FIGURES.md").read_text(encoding="utf-8")
    pairs = re.findall(r"Printed: (.+?)\. Drawn: (.+?)\.\n", page)
    assert len(pairs) == 20
    assert [printed for printed, drawn in pairs if printed != drawn] == []
