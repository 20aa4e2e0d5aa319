"""Every pass on a small spec: what it makes of it, and what it leaves alone."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest

from compiler.graph import Graph
from compiler.graph.print import print_graph
from compiler.passes import PASSES
from tests.passes.random_specs import graph_of

HEAD = """
network: small
input: {image: [3, 9, 9]}
defaults: {conv: {norm: none, activation: none, bias: true}}
layers:
"""


def graph(layers: str) -> Graph:
    """Return the graph of a few layers on a 9x9 image."""
    return graph_of(HEAD + indent(dedent(layers), "  "))


def lines(graph: Graph) -> list[str]:
    """Return the nodes as printed, without shapes, attributes or regions."""
    text = print_graph(graph, shapes=False)
    nodes = (line.strip().partition(" {")[0] for line in text.splitlines() if " = " in line)
    return [line for line in nodes if not line.startswith(("%image", "return"))]


BRANCHES = """
- branches:
    pool: [{avg_pool: 3x3}, {conv: 1x1, filters: 2}]
    one: [{conv: 1x1, filters: 2, activation: relu}]
    two: [{conv: 1x1, filters: 3, activation: relu}, {conv: 3x3, filters: 2}]
  join: concat
"""


def test_fold_batch_norm() -> None:
    before = graph("- {conv: 3x3, filters: 4, norm: batch_norm, activation: relu}")
    after = PASSES["fold_batch_norm"](before)
    assert lines(after) == [
        "%conv_3x3.conv = Conv2d(%image)",
        "%conv_3x3.act = ReLU(%conv_3x3.conv)",
    ]
    assert after.nodes["conv_3x3.conv"].op.attributes()["bias"] is True
    assert set(after.derivations) == {"conv_3x3.conv.weight", "conv_3x3.conv.bias"}


def test_fold_scale() -> None:
    before = graph("- {conv: 1x1, filters: 4}\n- {scale: 0.17}\n- {scale: 2.0}")
    assert lines(PASSES["fold_scale"](before)) == ["%conv_1x1 = Conv2d(%image)"]


def test_exchange_pool_projection() -> None:
    after = PASSES["exchange_pool_projection"](graph(BRANCHES))
    assert lines(after)[:2] == [
        "%pool.conv_1x1 = Conv2d(%image)",
        "%pool.avg_pool_3x3 = AvgPool2d(%pool.conv_1x1)",
    ]
    operands = "%pool.avg_pool_3x3, %one.conv_1x1.act, %two.conv_3x3"
    assert lines(after)[-1] == f"%concat = Concat({operands})"


def test_merge_siblings_puts_the_activated_first() -> None:
    after = PASSES["merge_siblings"](PASSES["exchange_pool_projection"](graph(BRANCHES)))
    printed = print_graph(after, shapes=False)
    assert lines(after)[0] == "%merged_1x1 = Conv2d(%image)"
    assert after.nodes["merged_1x1"].op.attributes()["out_channels"] == 2 + 2 + 3
    assert "%one.conv_1x1.conv = Slice(%merged_1x1) {start=0, stop=2}" in printed
    assert "%two.conv_1x1.conv = Slice(%merged_1x1) {start=2, stop=5}" in printed
    assert "%pool.conv_1x1 = Slice(%merged_1x1) {start=5, stop=7}" in printed


def test_merge_siblings_stands_around_the_branches() -> None:
    after = PASSES["merge_siblings"](graph(BRANCHES))
    assert "merged_1x1" in after.regions[""].members


def test_hoist_activation() -> None:
    after = PASSES["hoist_activation"](PASSES["merge_siblings"](graph(BRANCHES)))
    assert lines(after)[:2] == [
        "%merged_1x1 = Conv2d(%image)",
        "%merged_1x1_relu = ReLU(%merged_1x1)",
    ]
    assert "%one.conv_1x1.act = Slice(%merged_1x1_relu)" in lines(after)


def test_eliminate_identity() -> None:
    layers = """
    - {conv: 1x1, filters: 4}
    - {identity: true}
    - {scale: 1.0}
    - {max_pool: 1x1}
    - {max_pool: 3x3}
    """
    after = PASSES["eliminate_identity"](graph(layers))
    assert lines(after) == ["%conv_1x1 = Conv2d(%image)", "%max_pool_3x3 = MaxPool2d(%conv_1x1)"]


def test_eliminate_dropout() -> None:
    before = graph("- {conv: 1x1, filters: 4}\n- {dropout: {keep: 0.8}}")
    after = PASSES["eliminate_dropout"](before)
    assert lines(after) == ["%conv_1x1 = Conv2d(%image)"]
    assert after.outputs[0].node == "conv_1x1"


def test_eliminate_dead_nodes_after_drop_training_outputs() -> None:
    spec = (
        HEAD
        + """
  - {conv: 1x1, filters: 4, name: trunk}
  - {conv: 1x1, filters: 2, name: aux, from: trunk}
  - {conv: 3x3, filters: 4, name: end, from: trunk}
outputs:
  - end
  - {name: aux, from: aux, training_only: true}
"""
    )
    whole = graph_of(spec)
    assert PASSES["eliminate_dead_nodes"](whole) is whole
    after = PASSES["eliminate_dead_nodes"](PASSES["drop_training_outputs"](whole))
    assert lines(after) == ["%trunk = Conv2d(%image)", "%end = Conv2d(%trunk)"]
    assert [output.name for output in after.outputs] == ["end"]


def test_flatten_concats() -> None:
    layers = """
    - {conv: 1x1, filters: 2, name: a}
    - {conv: 1x1, filters: 3, name: b, from: a}
    - {concat: [a, b], name: inner}
    - {concat: [inner, a], name: outer}
    """
    after = PASSES["flatten_concats"](graph(layers))
    assert lines(after)[-1] == "%outer = Concat(%a, %b, %a)"
    assert "inner" not in after.nodes


LEFT_ALONE = {
    "fold_batch_norm": """
        - {conv: 1x1, filters: 4, name: a}
        - {batch_norm: true, name: n}
        - {add: [a, n]}
        """,
    "fold_scale": """
        - {conv: 1x1, filters: 4, name: a, activation: relu}
        - {scale: 0.5}
        """,
    "exchange_pool_projection": """
        - {avg_pool: 3x3, count_include_pad: true}
        - {conv: 1x1, filters: 2}
        - {avg_pool: 3x3, stride: 2}
        - {conv: 1x1, filters: 2}
        - {avg_pool: 3x3}
        - {conv: 1x1, filters: 5}
        - {max_pool: 3x3}
        - {conv: 1x1, filters: 2}
        """,
    "merge_siblings": """
        - {conv: 1x1, filters: 4, name: a}
        - {conv: 1x1, filters: 4, name: b, from: in, stride: 2}
        - {conv: 3x3, filters: 4, name: c, from: in}
        - {conv: 1x1, filters: 4, name: d, from: a}
        - {concat: [a, c, d]}
        """,
    "hoist_activation": BRANCHES,
    "eliminate_identity": "- {scale: 0.5}\n- {max_pool: 1x1, stride: 2}\n- {dropout: {keep: 0.5}}",
    "eliminate_dropout": "- {conv: 1x1, filters: 4}",
    "eliminate_dead_nodes": BRANCHES,
    "drop_training_outputs": BRANCHES,
    "flatten_concats": BRANCHES,
}


@pytest.mark.parametrize("name", PASSES)
def test_does_nothing_where_it_does_not_apply(name: str) -> None:
    unchanged = graph(LEFT_ALONE[name])
    assert PASSES[name](unchanged) is unchanged


def test_weights_that_are_shared_stay_as_they_are() -> None:
    layers = """
    - {conv: 3x3, filters: 3, name: a, norm: batch_norm, activation: relu}
    - {conv: 3x3, filters: 3, name: b, norm: batch_norm, activation: relu, share: a}
    """
    shared = graph(layers)
    assert PASSES["fold_batch_norm"](shared) is shared
