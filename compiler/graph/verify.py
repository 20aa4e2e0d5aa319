"""Graph -> nothing, or a complaint: what must hold after every step."""

from __future__ import annotations

from compiler.graph.graph import Graph
from compiler.graph.op import Input
from compiler.graph.shapes import Shape, ShapeError


class VerifyError(Exception):
    """An invariant is broken: a fault of the compiler, not of a spec."""


def verify(graph: Graph, shapes: bool = False) -> None:
    """Check a graph's invariants; with `shapes`, infer every shape again and compare.

    Raises:
        VerifyError: an invariant does not hold.
    """
    _verify_nodes(graph)
    _verify_regions(graph)
    for name in graph.inputs:
        if name not in graph.nodes or not isinstance(graph.nodes[name].op, Input):
            raise VerifyError(f"the input `{name}` is not an input node")
    for output in graph.outputs:
        if output.node not in graph.nodes:
            raise VerifyError(
                f"the output `{output.name}` reads `{output.node}`, which is not in the graph"
            )
    if shapes:
        _verify_shapes(graph)


def _verify_nodes(graph: Graph) -> None:
    seen: set[str] = set()
    for name, node in graph.nodes.items():
        if name in graph.regions:
            raise VerifyError(f"`{name}` is both a node and a region")
        for source in node.inputs:
            if source not in seen:
                raise VerifyError(f"`{name}` reads `{source}`, which comes later")
        if node.share is not None and node.share not in graph.nodes:
            raise VerifyError(f"`{name}` shares with `{node.share}`, which is not in the graph")
        seen.add(name)


def _verify_regions(graph: Graph) -> None:
    owner: dict[str, str] = {}
    for name, region in graph.regions.items():
        if region.name != name:
            raise VerifyError(f"the region `{region.name}` is filed under `{name}`")
        for member in region.members:
            if member not in graph.nodes and member not in graph.regions:
                raise VerifyError(
                    f"the region `{name}` holds `{member}`, which is not in the graph"
                )
            if member in owner:
                raise VerifyError(f"`{member}` stands in `{owner[member]}` and in `{name}`")
            owner[member] = name
            if member in graph.regions and graph.regions[member].parent != name:
                raise VerifyError(f"the region `{member}` does not know its parent `{name}`")
        for tensor in (*region.inputs, region.output):
            if tensor not in graph.nodes:
                raise VerifyError(
                    f"the region `{name}` names `{tensor}`, which is not in the graph"
                )
    loose = [n for n in (*graph.nodes, *graph.regions) if n not in owner and n != ""]
    if loose:
        raise VerifyError(f"`{loose[0]}` stands in no region")


def _verify_shapes(graph: Graph) -> None:
    for node in graph.nodes.values():
        try:
            shape = node.op.infer_shape(*graph.input_shapes(node))
        except ShapeError as error:
            raise VerifyError(f"`{node.name}` does not fit its operands: {error}") from error
        if shape != Shape(node.shape) and None not in node.shape:
            raise VerifyError(f"`{node.name}` is filed as {node.shape}, its operands give {shape}")
