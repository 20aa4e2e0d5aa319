"""Parameters of type `block` and `norm`: a block, or a norm, is handed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.errors import CompileError, UsageError
from compiler.graph import Graph, number
from compiler.ops import BatchNorm, GroupNorm, LayerNorm
from compiler.pipeline import draft_graph, load_graph

SPEC = """\
network: net
params:
  unit: {type: block, default: basic}
  norm: {type: norm, default: batch_norm}
input: {image: [3, 8, 8]}
blocks:
  basic:
    params: {n: {type: channels}}
    layers: [{conv: 3x3, filters: n}]
  bottleneck:
    params: {n: {type: channels}, expand: 4}
    layers: [{conv: 1x1, filters: n}, {conv: 1x1, filters: expand * n}]
  stage:
    params: {n: {type: channels}, unit: {type: block, default: basic}}
    layers: [{block: unit, name: units, repeat: 2, with: {n: n}}]
layers:
  - {block: stage, name: first, with: {n: 4, unit: unit}}
  - {block: stage, name: second, with: {n: 2}}
  - {block: stage, name: third, with: {n: 2, unit: bottleneck}}
  - {conv: 1x1, filters: 5, norm: norm, name: last}
"""


def load(tmp_path: Path, old: str = "", new: str = "", **settings: object) -> Graph:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC.replace(old, new), encoding="utf-8")
    return load_graph(path, settings)


def blocks(graph: Graph) -> list[str]:
    return [str(r.definition) for name, r in graph.regions.items() if "units." in name]


def test_the_block_that_is_handed_over_is_built(tmp_path: Path) -> None:
    graph = load(tmp_path)
    assert blocks(graph) == ["basic"] * 4 + ["bottleneck"] * 2
    # 3x3 of 3 -> 4, 4 -> 4, 4 -> 2, 2 -> 2; 1x1 of 2 -> 2 -> 8 -> 2 -> 8; 8 -> 5 and its norm
    weights = 27 * 4 + 36 * 4 + 36 * 2 + 18 * 2 + (4 + 16 + 16 + 16) + 40
    assert number(graph.parameters()) == weights + (4 + 4 + 2 + 2) + (2 + 8 + 2 + 8) + 2 * 5


def test_it_comes_by_a_setting(tmp_path: Path) -> None:
    graph = load(tmp_path, unit="bottleneck", norm="layer_norm")
    assert blocks(graph) == ["bottleneck"] * 2 + ["basic"] * 2 + ["bottleneck"] * 2
    assert isinstance(graph.nodes["last.norm"].op, LayerNorm)
    assert isinstance(load(tmp_path).nodes["last.norm"].op, BatchNorm)
    assert "last.norm" not in load(tmp_path, norm="none").nodes


def test_nothing_is_left_unused(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC, encoding="utf-8")
    assert draft_graph(path)[1].diagnostics == []


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        (
            "unit: bottleneck", "unit: botleneck", "15:22",
            "there is no block `botleneck`, which `unit` hands over (did you mean `bottleneck`?)",
        ),
        (
            "with: {n: n}", "with: {n: n, expand: 2}", "15:65",
            "block `basic` has no parameter `expand`",
        ),
        (
            "unit: bottleneck", "unit: stage", "15:22",
            "blocks contain each other: stage -> stage",
        ),
        (
            "type: norm, default: batch_norm", "type: norm, default: batchnorm", "4:31",
            "the default of `norm`: there is no norm `batchnorm` (did you mean `batch_norm`?)",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, old: str, new: str, place: str, message: str) -> None:
    with pytest.raises(CompileError) as error:
        load(tmp_path, old, new)
    found = error.value.diagnostics[0]
    assert (f"{found.span.line}:{found.span.column}", found.message) == (place, message)


def test_a_setting_that_is_no_norm(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        load(tmp_path, norm="relu")
    assert str(error.value) == (
        "--set norm=relu: the value: there is no norm `relu`; one of `none`, `batch_norm`, "
        "`layer_norm`, `instance_norm`"
    )


GROUPED = """\
network: net
params: {g: 4, norm: {type: norm, default: {group_norm: g}}}
input: {image: [3, 8, 8]}
defaults: {conv: {norm: norm}}
blocks:
  b:
    params: {k: 2, norm: {type: norm, default: {group_norm: k}}}
    layers: [{conv: 3x3, filters: 8, norm: norm}]
layers:
  - {conv: 3x3, filters: 8, name: first}
  - {block: b, name: usual}
  - {block: b, name: handed, with: {norm: norm}}
  - {block: b, name: given, with: {norm: {group_norm: 2 * g}}}
"""


@pytest.mark.parametrize(
    ("settings", "groups"),
    [({}, [4, 2, 4, 8]), ({"norm": "{group_norm: 1}"}, [1, 2, 1, 8]), ({"g": 2}, [2, 2, 2, 4])],
)
def test_a_norm_of_groups_is_handed_over(
    tmp_path: Path, settings: dict[str, object], groups: list[int]
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(GROUPED, encoding="utf-8")
    graph = load_graph(path, settings)
    norms = [n.op for name, n in graph.nodes.items() if name.endswith(".norm")]
    assert [norm.groups for norm in norms if isinstance(norm, GroupNorm)] == groups


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("group_norm", "`group_norm` does not say how many groups it has; write "
         "`norm: {group_norm: 32}`"),
        ("{batch_norm: 2}", "expected a norm, found a mapping; one of none, batch_norm, "
         "layer_norm, instance_norm, or `{group_norm: 32}`"),
        ("{group_norm: x}", "unknown name `x`; a default can use the parameters before it"),
    ],
)  # fmt: skip
def test_a_setting_that_is_no_norm_of_groups(tmp_path: Path, value: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        load(tmp_path, norm=value)
    assert str(error.value) == f"--set norm={value}: the value: {message}"


def test_a_setting_that_is_no_block(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        load(tmp_path, unit="basik")
    assert str(error.value) == (
        "--set unit=basik: there is no block `basik` (did you mean `basic`?); "
        "the blocks are `basic`, `bottleneck`, `stage`"
    )
