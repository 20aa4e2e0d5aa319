"""Graph -> the names and shapes of its tensors, as a `state_dict` has them."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.graph import Graph, Node
from compiler.ops import BatchNorm
from compiler.weights.misfits import COUNTER, Size


def tensor_sizes(graph: Graph) -> dict[str, Size]:
    """Return name -> shape of every parameter, statistic and batch counter, in graph order."""
    return {
        f"{node.name}.{leaf}": size
        for node in graph.nodes.values()
        if node.share is None
        for leaf, size in _tensors(graph, node)
    }


def _tensors(graph: Graph, node: Node) -> Iterator[tuple[str, Size]]:
    if node.op.parameter_names:
        yield from node.op.tensor_shapes(_channels(graph, node)).items()
    if isinstance(node.op, BatchNorm):
        yield COUNTER, ()


def _channels(graph: Graph, node: Node) -> int:
    (shape,) = graph.input_shapes(node)
    channels = shape.channels
    assert isinstance(channels, int), f"{node.name} is fed an open number of channels"
    return channels
