"""Graph -> the same graph with height and width of its inputs left open."""

from __future__ import annotations

from dataclasses import replace

from compiler.errors import BackendError
from compiler.graph import Graph, Node
from compiler.ops import AvgPool2d, Conv2d, Input, MaxPool2d
from compiler.shapes import ShapeError
from compiler.working import open_inputs


def open_grid(graph: Graph) -> Graph:
    """Return the graph with height and width of its inputs left open, as `H` and `W`.

    Inputs with the grid of the first share its letters; others are called `NAME.H`, `NAME.W`.

    Raises:
        BackendError: an operation needs a fixed size.
    """
    inputs = open_inputs(graph)
    nodes: dict[str, Node] = {}
    for node in graph.nodes.values():
        try:
            shape = inputs.get(node.name) or node.op.infer_shape(
                *(nodes[name].shape for name in node.inputs)
            )
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
