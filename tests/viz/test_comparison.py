"""Pictures of what changed: marked boxes have their colours in every format."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from compiler.cli.main import main
from compiler.pipeline import load_graph
from tests.viz.test_colours import contrast
from viz.comparison import render_marked
from viz.render import Options, render
from viz.style.theme import THEMES, Theme

OLD = """network: net
input: {image: [3, 8, 8]}
layers:
  - {conv: 3x3, filters: 4, name: kept}
  - {conv: 3x3, filters: 4, name: wide}
  - {max_pool: 2x2, name: gone}
"""
NEW = OLD.replace("filters: 4, name: wide", "filters: 8, name: wide").replace(
    "{max_pool: 2x2, name: gone}", "{sigmoid: true, name: fresh}"
)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    for name, text in (("old", OLD), ("new", NEW)):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return str(tmp_path / "old.yaml"), str(tmp_path / "new.yaml")


def fills(svg: str) -> dict[str, str]:
    """Return box -> its fill."""
    return dict(re.findall(r'<g id="(?:[ab]-)?box-(\w+)">\s*<\w+ [^>]*?fill="(#\w+)"', svg))


def test_a_page_has_both_networks_with_what_changed(files: tuple[str, str], tmp_path: Path) -> None:
    page = tmp_path / "d.html"
    assert main(["diff", *files, "-o", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    before, after = text.split("after:")
    marks = {word: fill for word, (_, fill) in THEMES["paper"].marks.items()}
    assert fills(before)["gone"] == marks["removed"]
    assert fills(after)["fresh"] == marks["added"]
    assert fills(before)["wide"] == fills(after)["wide"] == marks["changed"]
    assert fills(before)["kept"] == fills(after)["kept"] == THEMES["paper"].fills["conv"]
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert "<script" not in text
    assert "out_channels: 4 -&gt; 8" in text


@pytest.mark.parametrize("format", ["svg", "pdf", "png"])
def test_marks_are_all_that_differs(files: tuple[str, str], format: str) -> None:
    graph = load_graph(files[1])
    plain = render(graph, format, Options(depth=1))
    assert render_marked(graph, {}, format) == plain
    assert render_marked(graph, {"fresh": "added"}, format) != plain


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_words_can_be_read_on_marks(theme: Theme) -> None:
    assert min(contrast(theme.ink, fill) for _, fill in theme.marks.values()) > 7
    assert len(set(theme.marks.values())) == 3


def test_another_ending_is_refused_before_anything_is_written(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", *files, "-o", str(tmp_path / "d.gif")]) == 2
    assert "its name ends in none of html, svg, pdf, png" in capsys.readouterr().err
    assert not (tmp_path / "d.gif").exists()
