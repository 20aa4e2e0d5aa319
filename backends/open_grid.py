"""Graph -> the same graph with height and width of its inputs left open."""

from __future__ import annotations

from dataclasses import replace

from compiler.errors import BackendError, at_place
from compiler.facts.working_sizes import fitting_inputs
from compiler.graph import Graph, Node, ShapeError, Symbolic, connect
from compiler.ops import Input


def open_grid(graph: Graph) -> Graph:
    """Return the graph with height and width of its inputs left open, as `H` and `W`.

    Where it fits at multiples alone they are multiples: `32*H`. Inputs with the grid of the first
    share its letters; others are called `NAME.H`, `NAME.W`. What is open already stays.

    Raises:
        BackendError: an operation needs a fixed size.
    """
    if any(isinstance(d, Symbolic) for name in graph.inputs for d in graph.nodes[name].shape):
        return graph
    inputs = fitting_inputs(graph)
    nodes: dict[str, Node] = {}
    for node in graph.nodes.values():
        try:
            shape = inputs.get(node.name) or node.op.infer_shape(
                *(nodes[name].shape for name in node.inputs)
            )
        except ShapeError as error:
            what = f"`{node.name}`: {error}, so height and width cannot be left open"
            raise BackendError(at_place(node.info.span, what)) from None
        op = Input(tuple(shape)) if isinstance(node.op, Input) else node.op
        nodes[node.name] = replace(node, op=op, shape=shape)
    return replace(graph, network=connect(nodes.values()))
