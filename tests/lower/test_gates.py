"""A product whose 1x1 map stands first: the whole message, with a way out that holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.errors import CompileError
from compiler.pipeline import load_graph

IN_A_BLOCK = """\
network: t
input: {image: [3, 8, 8]}
blocks:
  gated:
    layers:
      - {global_avg_pool: true, keep_grid: true}
      - {conv: 1x1, filters: 3}
      - {sigmoid: true, name: g}
      - {multiply: [g, in]}
layers:
  - {block: gated, name: s}
"""
BRANCHES = """\
network: t
input: {image: [3, 8, 8]}
layers:
  - branches:
      gate: [{global_avg_pool: true, keep_grid: true}]
      map: []
    join: multiply
"""


def test_a_gate_that_stands_first_is_said_in_the_names_of_its_layer(tmp_path: Path) -> None:
    spec = tmp_path / "t.yaml"
    spec.write_text(IN_A_BLOCK)
    with pytest.raises(CompileError) as caught:
        load_graph(spec)
    (found,) = caught.value.diagnostics
    assert found.code == "operand-order"
    assert found.message == "`s.multiply` cannot multiply 1x1x3 with 8x8x3"
    assert (found.span.line, found.span.column) == (9, 9)
    assert [(r.span.line, r.text) for r in found.remarks] == [
        (7, "this gives 1x1x3"),
        (2, "this gives 8x8x3"),
    ]
    assert found.notes == (
        "operand 1: 1x1x3 from `s.g`, on a grid that `s.global_avg_pool` made 1x1 of 8x8",
        "operand 2: 8x8x3 from `image`",
        "`s.g` is 1x1: it is spread over the grid of the operands that stand before it",
    )
    assert found.help == "write `multiply: [in, g]`"
    spec.write_text(IN_A_BLOCK.replace("multiply: [g, in]", "multiply: [in, g]"))
    assert load_graph(spec).nodes["s.multiply"].shape.paper == "8x8x3"


def test_a_gate_in_the_first_branch_is_to_be_put_behind(tmp_path: Path) -> None:
    spec = tmp_path / "t.yaml"
    spec.write_text(BRANCHES)
    with pytest.raises(CompileError) as caught:
        load_graph(spec)
    (found,) = caught.value.diagnostics
    assert found.help == "put the branch that gives `gate.global_avg_pool` behind the others"
    assert (found.span.line, found.span.column) == (7, 11)
