"""Graph -> the names and shapes of its tensors, as a `state_dict` has them."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.graph import Graph, Node
from compiler.ops import BatchNorm, Conv2d, Linear
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
    match node.op:
        case Conv2d(out_channels=out, kernel_size=(height, width), groups=groups, bias=bias):
            yield "weight", (out, _channels(graph, node) // groups, height, width)
            if bias:
                yield "bias", (out,)
        case Linear(out_features=out, bias=bias):
            yield "weight", (out, _channels(graph, node))
            if bias:
                yield "bias", (out,)
        case BatchNorm() as op:
            for part in (*op.learned, "running_mean", "running_var"):
                yield part, (_channels(graph, node),)
            yield COUNTER, ()


def _channels(graph: Graph, node: Node) -> int:
    (shape,) = graph.input_shapes(node)
    channels = shape.channels
    assert isinstance(channels, int), f"{node.name} is fed an open number of channels"
    return channels
