"""Graph -> the same graph for inputs of the sizes at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from compiler.errors import BackendError
from compiler.graph import Graph, Node, Shape, ShapeError, connect
from compiler.ops import Input


def at_size(graph: Graph, sizes: Sequence[tuple[int, ...]]) -> Graph:
    """Return the graph with inputs of these sizes, (C, H, W) or (C,), in their order.

    Raises:
        BackendError: there are more or fewer inputs, or one of them does not fit.
    """
    if len(sizes) != len(graph.inputs):
        raise BackendError(f"`{graph.name}` takes {len(graph.inputs)} inputs, not {len(sizes)}")
    given = dict(zip(graph.inputs, map(Shape, sizes), strict=True))
    for name, shape in given.items():
        declared = graph.nodes[name].shape
        if (len(shape), shape.channels) != (len(declared), declared.channels):
            raise BackendError(f"`{name}` takes {declared}, not {shape}")
    if all(graph.nodes[name].shape == shape for name, shape in given.items()):
        return graph
    nodes: dict[str, Node] = {}
    for node in graph.nodes.values():
        operands = tuple(nodes[name].shape for name in node.inputs)
        try:
            shape = given[node.name] if node.name in given else node.op.infer_shape(*operands)
            if node.op.parameter_names:
                _check_channels(operands[0], graph.input_shapes(node)[0])
        except ShapeError as error:
            shown = " and ".join(f"{name} {given[name].paper}" for name in given)
            raise BackendError(f"`{node.name}` does not fit inputs of {shown}: {error}") from None
        op = Input(tuple(shape)) if isinstance(node.op, Input) else node.op
        nodes[node.name] = replace(node, op=op, shape=shape)
    return replace(graph, network=connect(nodes.values()))


def _check_channels(shape: Shape, declared: Shape) -> None:
    """Raise a `ShapeError` where parameters are of another width than what comes in."""
    if shape.channels != declared.channels:
        raise ShapeError(f"it takes {declared.channels} channels, not {shape.channels}")
