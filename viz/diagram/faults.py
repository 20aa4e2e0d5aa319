"""What does not fit in a broken spec: the operations and edges to draw in red."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from compiler.errors import Diagnostic, Span
from compiler.graph import Graph, Node, ShapeError
from compiler.ops import Concat


@dataclass(frozen=True, slots=True)
class Faults:
    """The failing operations, the edges that fail them, and sentences about both."""

    nodes: frozenset[str] = frozenset()
    edges: frozenset[tuple[str, str]] = frozenset()
    """(tensor, operation that it does not fit)."""
    messages: tuple[tuple[Span, str], ...] = ()
    """What is wrong, with the place in the spec."""

    def notes(self, graph: Graph, scope: str) -> tuple[str, ...]:
        """Return the messages about what is drawn; for a network, all of them."""
        if not scope:
            return tuple(message for _, message in self.messages)
        lines = {_line(node.info.span) for node in graph.nodes_in(scope)}
        return tuple(message for span, message in self.messages if _line(span) in lines)


def concerning(
    graph: Graph, scope: str, diagnostics: Sequence[Diagnostic]
) -> tuple[Diagnostic, ...]:
    """Return the findings that a picture of a region should tell.

    Those at a layer that is elsewhere only are left out; those at no layer concern everything.
    """
    if not scope:
        return tuple(diagnostics)
    inside = {_line(node.info.span) for node in graph.nodes_in(scope)}
    elsewhere = {_line(node.info.span) for node in graph.nodes.values()} - inside
    return tuple(d for d in diagnostics if _line(d.span) not in elsewhere)


def _line(span: Span) -> tuple[str, int]:
    return span.file, span.line


NO_FAULTS = Faults()


def find_faults(graph: Graph, diagnostics: Sequence[Diagnostic] = ()) -> Faults:
    """Return what is wrong with a graph: shapes are tried anew, other errors go by their place.

    Args:
        graph: a draft, whose unknown sizes are None.
        diagnostics: the findings of the run that made it; errors become messages.
    """
    errors = [d for d in diagnostics if d.severity == "error"]
    nodes: set[str] = set()
    edges: set[tuple[str, str]] = set()
    places = {_line(d.span) for d in errors}
    for node in graph.nodes.values():
        bad = _unfit(graph, node)
        edges.update((source, node.name) for source in bad)
        if bad or _line(node.info.span) in places:
            nodes.add(node.name)
    return Faults(frozenset(nodes), frozenset(edges), tuple((d.span, d.message) for d in errors))


def _unfit(graph: Graph, node: Node) -> list[str]:
    """Return the operands that do not fit: of a join, those that the others outvote."""
    if not node.inputs:
        return []
    shapes = graph.input_shapes(node)
    try:
        node.op.infer_shape(*shapes)
    except ShapeError:
        pass
    else:
        return []
    grids = [shape.grid if isinstance(node.op, Concat) else tuple(shape) for shape in shapes]
    common, votes = Counter(grids).most_common(1)[0]
    outvoted = [n for n, grid in zip(node.inputs, grids, strict=True) if grid != common]
    return outvoted if votes > 1 and outvoted else list(node.inputs)
