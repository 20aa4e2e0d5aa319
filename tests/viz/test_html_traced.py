"""Operations that the page has no rules for: what was traced of them is what the compiler says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from compiler.ops import OP_LAYERS
from compiler.pipeline import draft_graph
from tests.samples import samples
from tests.viz.test_html_numbers import Bench, Case
from viz.html import traced
from viz.html.document import FOLDER
from viz.html.program import write_program

Show = Callable[..., Any]

SIZES = ("8x9x8", "7x9x8", "16x1x1", "12x5x30", "5x2x3", "9x64x63")

PARAMETER = """
network: net
params: {r: 2}
input: {image: [16, 8, 8]}
blocks:
  up: {params: {by: int}, layers: [{pixel_shuffle: by}]}
layers:
  - {block: up, with: {by: r}}
  - {conv: 1x1, filters: 9, name: c}
  - {pixel_shuffle: 3, name: last}
"""


@pytest.mark.parametrize("table", ["INFER", "WORDS", "BOX_KINDS"])
def test_operations_with_rules_in_javascript_are_those_that_python_knows_of(table: str) -> None:
    text = "".join(path.read_text() for path in FOLDER.glob("*.js"))
    (body,) = re.findall(rf"^const {table} = {{\n(.*?)^}};", text, re.M | re.S)
    assert set(re.findall(r"^  (\w+):", body, re.M)) == traced.MIRRORED


def test_page_of_mirrored_operations_has_no_traces(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(PARAMETER.replace("pixel_shuffle", "scale"))
    graph, _, spec = draft_graph(path)
    assert "traced" not in str(write_program(graph, spec))


def _network(word: str, dims: list[int]) -> str:
    """Return every sample of a layer, each behind the input, with a join that reads its size."""
    rows = [
        {"branches": {"b": [layer]}, "join": "concat", "name": f"j{i}", "from": "x"}
        for i, layer in enumerate(samples(word))
    ]
    layers = [{"identity": True, "name": "x"}, *rows]
    return yaml.safe_dump(
        {"network": "net", "input": {"image": dims}, "layers": layers}, sort_keys=False
    )


@pytest.mark.browser
@pytest.mark.parametrize("dims", [[8, 9, 8], [6]], ids=str)
@pytest.mark.parametrize("word", [w for w in OP_LAYERS if w not in ("concat", "add", "multiply")])
def test_what_is_traced_is_what_the_compiler_says(
    word: str, dims: list[int], show: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every operation is traced here, those too that have rules of their own."""
    monkeypatch.setattr(traced, "MIRRORED", frozenset(("Input",)))
    (tmp_path / "spec").mkdir()
    path = tmp_path / "spec" / "net.yaml"
    path.write_text(_network(word, dims))
    bench = Bench(path, show)
    assert "traced" in str(bench.program)
    for size in SIZES if len(dims) == 3 else ("",):
        case = Case(size=size)
        wanted, got = bench.by_compiler(case), bench.by_page(case)
        beyond = [f for f in got["findings"] if f[0] == "beyond-page"]
        if beyond:  # nothing wrong is said: sizes are the compiler's, or none is known
            known = {n: s for n, s in got["shapes"].items() if "?" not in s}
            assert known.items() <= wanted["shapes"].items()
            assert got["parameters"] in (None, wanted["parameters"])
            continue
        assert got == wanted, size


@pytest.mark.browser
def test_value_that_was_not_traced_is_said_to_be_beyond_the_page(
    show: Show, tmp_path: Path
) -> None:
    (tmp_path / "spec").mkdir()
    path = tmp_path / "spec" / "net.yaml"
    path.write_text(PARAMETER)
    bench = Bench(path, show)
    for case in (Case(), Case(size="64x5x7"), Case(size="6x8x8")):
        assert bench.by_page(case) == bench.by_compiler(case)
    got = bench.by_page(Case(params={"r": "4"}))
    assert got["findings"] == [
        [
            "beyond-page",
            "`up.pixel_shuffle`: what `pixel_shuffle` gives with these values is beyond this page",
            "say it in the spec, and `netdraft check` works it out",
        ]
    ]
    assert got["shapes"]["up.pixel_shuffle"] == "?x?x?"
    assert bench.page.locator("#problems h2").inner_text() == "The page cannot follow this"
