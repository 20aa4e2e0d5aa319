"""Tensors can fit where the wiring does not: another order of a concat has the same shapes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from compiler.graph import Graph, Node, now_called
from compiler.ops import BatchNorm, Dropout, Input, Linear
from compiler.weights.misfits import layer_of


def wiring_differences(
    graph: Graph, published: Graph, loaded: Collection[str] | None = None
) -> tuple[str, ...]:
    """Return where a network computes something else than the one that the weights are of.

    Only operations of the same name, or of one that was moved, are compared. Dropout, input sizes,
    momentum and the number of classes do not count: they change nothing that the weights mean.

    Args:
        graph: the network.
        published: the one that the weights are of.
        loaded: the tensors that are loaded; None: all. A layer that is not needs no comparison.
    """
    layers = None if loaded is None else {layer_of(name) for name in loaded}
    now = {n: n if n in graph.nodes else now_called(n, graph.moved) for n in published.nodes}
    theirs = {now[name]: node for name, node in published.nodes.items()}
    return tuple(
        text
        for node in graph.nodes.values()
        if node.name in theirs
        if layers is None or not node.op.parameter_names or (node.share or node.name) in layers
        for text in _differences(node, theirs[node.name], now)
    )


def _differences(node: Node, other: Node, now: Mapping[str, str]) -> tuple[str, ...]:
    out = []
    if node.inputs != tuple(now[name] for name in other.inputs):
        out.append(f"`{node.name}` reads {_list(node)} where the weights are for {_list(other)}")
    if node.op.kind != other.op.kind:
        out.append(f"`{node.name}` is {node.op.kind} where the weights are for {other.op.kind}")
    elif not isinstance(node.op, (Dropout, Input, Linear)):
        out += _attributes(node, other)
    return tuple(out)


def _attributes(node: Node, other: Node) -> list[str]:
    free = {"momentum"} if isinstance(node.op, BatchNorm) else set()
    theirs = other.op.attributes()
    return [
        f"`{node.name}` has {name} {value} where the weights are for {theirs[name]}"
        for name, value in node.op.attributes().items()
        if name not in free and value != theirs[name]
    ]


def _list(node: Node) -> str:
    return "(" + ", ".join(node.inputs) + ")"
