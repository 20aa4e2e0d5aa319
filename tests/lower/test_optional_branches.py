"""A branch with a `when`: where it is false the join does without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.errors import CompileError
from compiler.facts.labels import label_of
from compiler.graph import Graph
from compiler.pipeline import Compilation, load_graph
from compiler.spec.print import print_spec

MIXED = """\
network: net
params: {pooled: true, wide: true}
input: {image: [3, 8, 8]}
layers:
  - branches:
      conv: [{conv: 3x3, filters: 4}]
      pool: {when: pooled, layers: [{max_pool: 3x3}]}
      deep:
        - {conv: 1x1, filters: 2}
        - {split: {left: [{conv: 1x3, filters: 5}], right: {when: wide, layers: [relu]}}}
    join: JOIN
    name: m
"""


def load(tmp_path: Path, join: str = "concat", more: str = "", **settings: object) -> Graph:
    path = tmp_path / "net.yaml"
    path.write_text(MIXED.replace("JOIN", join) + more, encoding="utf-8")
    return load_graph(path, settings)


@pytest.mark.parametrize(
    ("pooled", "wide", "channels"),
    [(True, True, 4 + 3 + 5 + 2), (False, True, 4 + 5 + 2), (False, False, 4 + 5)],
)
def test_a_concat_without_a_branch(tmp_path: Path, pooled: bool, wide: bool, channels: int) -> None:
    graph = load(tmp_path, pooled=pooled, wide=wide)
    assert graph.nodes["m.concat"].shape.paper == f"8x8x{channels}"
    assert ("m.pool.max_pool_3x3" in graph.nodes, "m.pool" in graph.regions) == (pooled, pooled)
    assert ("m.deep.right" in graph.regions) == wide


def test_a_sum_without_a_branch(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "network: net\nparams: {deep: false}\ninput: {image: [3, 8, 8]}\nlayers:\n"
        "  - branches:\n      same: []\n      gate: [sigmoid]\n"
        "      deep: {when: deep, layers: [{conv: 3x3, filters: 3}]}\n    join: add\n"
    )
    assert load_graph(path).nodes["add"].inputs == ("image", "gate.sigmoid")
    with_all = load_graph(path, {"deep": True}).nodes["add"].inputs
    assert with_all == ("image", "gate.sigmoid", "deep.conv_3x3")


def test_the_condition_reads_the_copy_and_what_enters(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "network: net\ninput: {image: [3, 8, 8]}\nlayers:\n"
        "  - branches: {a: [], b: {when: prev.channels < 9 and index < 2, layers: []}}\n"
        "    join: concat\n    repeat: 3\n    name: m\n"
    )
    graph = load_graph(path)
    assert [graph.tensor(f"m.{i}").shape.channels for i in range(3)] == [6, 12, 12]


def test_an_instance_decides(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "network: net\ninput: {image: [3, 8, 8]}\nblocks:\n  mixed:\n"
        "    params: {p: {type: bool}}\n"
        "    branches: {a: [relu], b: {when: p, layers: [{conv: 1x1, filters: 2}]}}\n"
        "    join: concat\nlayers:\n"
        "  - {block: mixed, name: one, with: {p: true}}\n"
        "  - {block: mixed, name: two, with: {p: false}}\n"
    )
    graph = load_graph(path)
    assert [graph.tensor(n).shape.channels for n in ("one", "two")] == [5, 5]
    assert label_of(graph, "one.b.conv_1x1") == "1x1 Conv (2 Linear)"
    draft = graph.definitions["mixed"].draft
    assert draft is not None
    assert draft.regions["one.b"].info.when == "p"


def test_a_variant_changes_a_branch_with_a_condition(tmp_path: Path) -> None:
    load(tmp_path)
    child = tmp_path / "child.yaml"
    child.write_text(
        "extends: net.yaml\nnetwork: child\nchanges:\n"
        "  - {after: m.pool.max_pool_3x3, insert: [{conv: 1x1, filters: 6}]}\n"
        "  - {after: m.pool, insert: {more: {when: wide, layers: [{conv: 1x1, filters: 7}]}}}\n"
    )
    assert load_graph(child).nodes["m.concat"].shape.channels == 4 + 6 + 7 + 5 + 2
    small = load_graph(child, {"pooled": False, "wide": False})
    assert small.nodes["m.concat"].shape.channels == 4 + 5
    text = print_spec(Compilation(child).spec)
    again = tmp_path / "again.yaml"
    again.write_text(text)
    assert load_graph(again).nodes["m.concat"].shape.channels == 4 + 6 + 7 + 5 + 2


READS = """\
  - {conv: 1x1, filters: 3, from: m.pool, name: read}
"""


def faults(path: Path, **settings: object) -> list[tuple[str, str, str, str]]:
    with pytest.raises(CompileError) as caught:
        load_graph(path, settings)
    return [
        (d.code, d.message, d.help, str(d.span).rpartition("yaml:")[2])
        for d in caught.value.diagnostics
    ]


def test_what_reads_a_branch_that_is_left_out(tmp_path: Path) -> None:
    load(tmp_path, more=READS)
    assert faults(tmp_path / "net.yaml", pooled=False) == [
        (
            "left-out",
            "`m.pool` is left out here: its `when: pooled` is false",
            "say what stands in for it: `m.pool or NAME`; or give this the same `when`",
            "13:35",
        )
    ]
    load(tmp_path, more=READS.replace("m.pool", "m.pool or m.conv"))
    graph = load_graph(tmp_path / "net.yaml", {"pooled": False})
    assert graph.nodes["read"].inputs == ("m.conv.conv_3x3",)


@pytest.mark.parametrize(
    ("branches", "fault"),
    [
        (
            "{a: {when: false, layers: [relu]}, b: {when: 1 > 2, layers: []}}",
            (
                "left-out",
                "no branch is left: the `when` of every one is false",
                "keep one of them, or give the `branches` a `when` of its own",
                "4:16",
            ),
        ),
        (
            "{a: [], b: {when: false, layer: [relu]}}",
            (
                "unknown-field",
                "branch `b` has no key `layer` (did you mean `layers`?)",
                "branch `b` takes `layers`, `when`",
                "4:41",
            ),
        ),
        (
            "{a: [], b: {when: some}}",
            ("missing-field", "branch `b` needs `layers`", "add `layers: ...`", "4:27"),
        ),
        (
            "{a: [], b: {when: some, layers: [relu]}}",
            (
                "unknown-parameter",
                "`when` of branch `b`: unknown name `some`",
                "the parameters here are none",
                "4:34",
            ),
        ),
        (
            "{a: [], b: {relu: true}}",
            (
                "bad-value",
                "branch `b` is a mapping, not a list of layers",
                "write each layer as an item: `- {conv: 3x3, filters: 64}`",
                "4:27",
            ),
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, branches: str, fault: tuple[str, ...]) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "network: net\ninput: {image: [3, 8, 8]}\nlayers:\n"
        f"  - {{branches: {branches}, join: concat}}\n"
    )
    assert faults(path) == [fault]


def test_a_branch_that_is_left_out_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "network: net\nparams: {deep: false}\ninput: {image: [3, 8, 8]}\nlayers:\n"
        "  - branches:\n      a: [relu]\n"
        "      b: {when: deep, layers: [{conv: 1, filters: 3, repeat: 10000000}]}\n    join: add\n"
    )
    assert len(load_graph(path).nodes) == 3
    assert [code for code, *_ in faults(path, deep=True)] == ["too-large"]


RESIDUAL = """\
network: net
params: {skip: true}
input: {image: [3, 8, 8]}
layers:
  - residual:
      body: [{conv: 3x3, filters: 3, name: deep}]
      shortcut: {when: skip, layers: [{conv: 1x1, filters: 3}]}
      scale: 0.5
      activation: relu
    name: r
"""


def test_a_residual_without_its_shortcut(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(RESIDUAL)
    both = load_graph(path)
    assert both.nodes["r.add"].inputs == ("r.shortcut.conv_1x1", "r.scale")
    alone = load_graph(path, {"skip": False})
    assert list(alone.nodes) == ["image", "r.deep", "r.scale", "r.act"]
    assert alone.nodes["r.act"].inputs == ("r.scale",)


@pytest.mark.parametrize("name", ["r.add", "r.shortcut", "r.shortcut.conv_1x1"])
def test_what_reads_a_shortcut_that_is_left_out(tmp_path: Path, name: str) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"{RESIDUAL}  - {{conv: 1x1, filters: 3, from: {name}}}\n")
    assert load_graph(path).nodes["conv_1x1"].shape.paper == "8x8x3"
    assert faults(path, skip=False) == [
        (
            "left-out",
            f"`{name}` is left out here: its `when: skip` is false",
            f"say what stands in for it: `{name} or NAME`; or give this the same `when`",
            "11:35",
        )
    ]


def test_a_variant_changes_a_shortcut_with_a_condition(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(RESIDUAL)
    child = tmp_path / "child.yaml"
    child.write_text(
        "extends: net.yaml\nnetwork: child\nchanges:\n"
        "  - {after: r.shortcut.conv_1x1, insert: [{scale: 2}]}\n"
    )
    assert load_graph(child).nodes["r.add"].inputs[0] == "r.shortcut.scale"
    assert "r.add" not in load_graph(child, {"skip": False}).nodes
