"""The graph itself: what networkx holds, what is read from it, and what cannot be changed."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import networkx as nx
import pytest

from compiler.graph import Graph, Node, Output, Region, Shape, connect
from compiler.ops import Activation, Add, Concat, Dropout, Flatten, Identity, Input, Op

SIZE = Shape((2, 3, 3))


def node(name: str, op: Op, *inputs: str) -> Node:
    """Return a node on maps of one size."""
    return Node(name, op, inputs, SIZE)


NODES = (
    node("x", Input(tuple(SIZE))),
    node("a", Activation("relu"), "x"),
    node("b", Dropout(0.5), "a"),
    node("c", Identity(), "b"),
    node("twice", Concat(), "a", "c", "a"),
    node("side", Flatten(), "c"),
    node("end", Add(), "twice", "twice"),
)


def graph() -> Graph:
    """Return the network of `NODES`."""
    names = tuple(n.name for n in NODES)
    regions = {"": Region("", "network", names, (), "end", None)}
    return Graph("n", "N", connect(NODES), regions, ("x",), (Output("end", "end"),))


def test_nodes_carry_the_payload_and_edges_the_slot() -> None:
    network = graph().network
    assert nx.get_node_attributes(network, "node") == {n.name: n for n in NODES}
    assert list(network) == [n.name for n in NODES]
    assert sorted(network.edges(keys=True)) == [
        ("a", "b", 0),
        ("a", "twice", 0),
        ("a", "twice", 2),
        ("b", "c", 0),
        ("c", "side", 0),
        ("c", "twice", 1),
        ("twice", "end", 0),
        ("twice", "end", 1),
        ("x", "a", 0),
    ]


def test_readers_come_in_execution_order_once_per_use() -> None:
    assert graph().consumers == {
        "x": ("a",),
        "a": ("b", "twice", "twice"),
        "b": ("c",),
        "c": ("twice", "side"),
        "twice": ("end", "end"),
        "side": (),
        "end": (),
    }


def test_ancestors_of_several_nodes_and_past_none_of_the_ends() -> None:
    made = graph()
    assert made.ancestors(["c", "side"]) == {"x", "a", "b", "c", "side"}
    assert made.ancestors(["end"]) == {"x", "a", "b", "c", "twice", "end"}
    assert made.ancestors(["end"], ends=["b", "a"]) == {"a", "b", "c", "twice", "end"}
    assert made.ancestors([]) == set()


def test_a_source_lies_past_operations_of_some_kinds() -> None:
    made = graph()
    assert made.source("c", Identity, Dropout).name == "a"
    assert made.source("c", Identity).name == "b"
    assert made.source("c").name == "c"


def test_a_graph_cannot_be_changed() -> None:
    made = graph()
    with pytest.raises(nx.NetworkXError, match="Frozen graph can't be modified"):
        made.network.add_edge("x", "end")
    with pytest.raises(AttributeError):
        made.name = "other"  # type: ignore[misc]


def test_an_operand_must_be_a_node() -> None:
    with pytest.raises(ValueError, match="`s` reads `y`, which is not in the graph"):
        connect([*NODES, node("s", Add(), "x", "y")])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))])
def test_a_copy_holds_the_same_and_is_frozen_too(copied: object) -> None:
    made = graph()
    assert made.consumers  # what was read before is copied as well
    other = copied(made)  # type: ignore[operator]
    assert dict(other.nodes) == dict(made.nodes)
    assert other.digest == made.digest
    assert other.consumers == made.consumers
    assert nx.is_frozen(other.network)


def test_what_keeps_the_nodes_keeps_the_network() -> None:
    made = graph()
    assert replace(made, title="Other").network is made.network
