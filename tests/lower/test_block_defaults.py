"""`defaults: {block: {with: ...}}`: what instances of blocks take where they do not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.errors import CompileError
from compiler.graph import Graph
from compiler.ops import Conv2d
from compiler.pipeline import draft_graph, load_graph

SPEC = """\
network: net
params: {by: {type: number, default: 1.5}, act: silu}
input: {image: [3, 8, 8]}
defaults:
  block: {with: {by: by, act: act}}
blocks:
  inner:
    params: {by: {type: number, default: 1}, act: relu}
    layers: [{conv: 1x1, filters: "int(8 * by)", activation: act, name: conv}]
  outer:
    params: {by: {type: number, default: 1}, n: 4}
    layers:
      - {block: inner, name: taken}
      - {block: inner, name: own, with: {by: 3}}
      - {conv: 1x1, filters: n * by, name: last}
layers:
  - {block: outer, name: a, WITH}
"""


def load(tmp_path: Path, given: str = "", **settings: object) -> Graph:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC.replace(", WITH", given), encoding="utf-8")
    return load_graph(path, settings)


def widths(graph: Graph) -> list[int]:
    return [n.op.out_channels for n in graph.nodes.values() if isinstance(n.op, Conv2d)]


def test_blocks_inside_blocks_take_them_too(tmp_path: Path) -> None:
    graph = load(tmp_path)
    assert widths(graph) == [12, 24, 6]
    assert graph.regions["a.taken"].arguments == {"by": 1.5, "act": "silu"}


def test_what_an_instance_says_goes_before(tmp_path: Path) -> None:
    assert widths(load(tmp_path, ", with: {by: 2}")) == [12, 24, 8]


def test_settings_reach_every_block(tmp_path: Path) -> None:
    graph = load(tmp_path, by=2, act="gelu")
    assert widths(graph) == [16, 24, 8]
    assert graph.regions["a.own"].arguments == {"by": 3, "act": "gelu"}


def complaint(tmp_path: Path, old: str, new: str) -> tuple[str, str, str]:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC.replace(", WITH", "").replace(old, new), encoding="utf-8")
    with pytest.raises(CompileError) as error:
        load_graph(path)
    (found,) = error.value.diagnostics
    return found.message, found.help, f"{found.span.line}:{found.span.column}"


def test_a_name_that_no_block_declares(tmp_path: Path) -> None:
    assert complaint(tmp_path, "act: act}}", "acts: act}}") == (
        "no block has a parameter `acts` (did you mean `act`?)",
        "their parameters are `by`, `act`, `n`",
        "5:26",
    )


def test_a_value_of_another_kind(tmp_path: Path) -> None:
    assert complaint(tmp_path, "by: by, act: act", "n: act, act: act, by: by") == (
        "`n` of `block` = act = silu is not a number; it is of type int",
        "",
        "5:21",
    )


def test_no_parameter_is_left_unused(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC.replace(", WITH", ""), encoding="utf-8")
    assert draft_graph(path)[1].diagnostics == []
