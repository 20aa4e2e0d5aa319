"""What each pass makes of a small graph, and what it leaves alone: a text before, a text after.

`rewrites/PASS/SUBJECT.txt` is a printed graph and, behind a line `=>`, what the pass makes of it;
without that line the pass returns the very same graph.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.graph import verify
from compiler.graph.parse import parse_graph
from compiler.graph.print import print_graph
from compiler.ops import OPS
from compiler.passes.optimizer import PASSES

FOLDER = Path(__file__).with_name("rewrites")
FILES = sorted(FOLDER.rglob("*.txt"))
ARROW = "=>\n"


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_rewrite(path: Path) -> None:
    before, arrow, after = path.read_text(encoding="utf-8").partition(ARROW)
    graph = parse_graph(before, OPS)
    verify(graph, shapes=True)
    made = PASSES[path.parent.name](graph)
    assert print_graph(made) == (after if arrow else before)
    assert (made is graph) == (not arrow)
    verify(made, shapes=True)


@pytest.mark.parametrize("name", PASSES)
def test_every_pass_has_a_graph_that_it_changes_and_one_that_it_leaves_alone(name: str) -> None:
    texts = [path.read_text(encoding="utf-8") for path in (FOLDER / name).glob("*.txt")]
    assert {ARROW in text for text in texts} == {True, False}
