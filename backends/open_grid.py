"""Graph -> the same graph with height and width of its inputs left open."""

from __future__ import annotations

from dataclasses import replace

from compiler.errors import BackendError
from compiler.graph import Graph, Node
from compiler.ops import AvgPool2d, Conv2d, Input, MaxPool2d
from compiler.shapes import Dim, Shape, ShapeError, SymbolicDim


def open_grid(graph: Graph) -> Graph:
    """Return the graph with height and width of its inputs left open, as `H` and `W`.

    Inputs with the grid of the first share its letters; others are called `NAME.H`, `NAME.W`.

    Raises:
        BackendError: an operation needs a fixed size.
    """
    nodes: dict[str, Node] = {}
    first = graph.nodes[graph.inputs[0]].shape.grid
    for node in graph.nodes.values():
        try:
            shape = _open_shape(node, nodes, first)
        except ShapeError as error:
            raise BackendError(
                f"`{node.name}`: {error}, so height and width cannot be left open"
            ) from None
        op = Input(tuple(shape)) if isinstance(node.op, Input) else node.op
        nodes[node.name] = replace(node, op=op, shape=shape)
    return replace(graph, nodes=nodes)


def check_open_pads(graph: Graph) -> None:
    """Refuse padding in numbers that would be wrong for another input size.

    Raises:
        BackendError: strided SAME padding of a map whose size is left open.
    """
    for node in graph.nodes.values():
        if isinstance(node.op, (Conv2d, MaxPool2d, AvgPool2d)):
            try:
                node.op.pads(graph.input_shapes(node)[0])
            except ValueError as error:
                raise BackendError(
                    f"`{node.name}`: {error}; fix the input size or pad by numbers"
                ) from None


def _open_shape(node: Node, done: dict[str, Node], first: tuple[Dim, ...]) -> Shape:
    if not isinstance(node.op, Input):
        return node.op.infer_shape(*(done[name].shape for name in node.inputs))
    if len(node.shape) != 3:
        return node.shape
    prefix = "" if node.shape.grid == first else f"{node.name}."
    dims = [
        SymbolicDim(prefix + letter) if isinstance(size, int) else size
        for size, letter in zip(node.shape.grid, "HW", strict=True)
    ]
    return Shape((node.shape.channels, *dims))
