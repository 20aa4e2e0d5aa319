"""In which order the layers of a list can be lowered, and which of them form a cycle."""

from __future__ import annotations

import networkx as nx

from compiler.errors import Diagnostic, Remark, Report
from compiler.lower.operands import alternatives
from compiler.lower.scope import Scope
from compiler.ops import JoinLayer, Layer


def lowering_order(
    layers: list[Layer], names: list[str], report: Report, scope: Scope
) -> tuple[list[int], frozenset[int]]:
    """Return the indices of a list's layers so that each comes after the layers it reads.

    A layer without `from` reads the one before it. The order of the file is kept where it can be.
    The second value holds the layers that read each other in a circle, which is reported.
    """
    in_file = list(range(len(layers)))
    nested = [_outward(layer, scope) for layer in layers]
    if not any(nested) and not any(_refs(layer, scope) for layer in layers):
        return in_file, frozenset()
    place = {name: i for i, name in enumerate(names)}
    reads = [_reads(i, layer, place, scope) for i, layer in enumerate(layers)]
    later = [
        {place[h] for h in heads if place.get(h, 0) > i and layers[place[h]].name == h}
        for i, heads in enumerate(nested)
    ]
    if not any(later) and all(j < i for i, found in enumerate(reads) for j in found):
        return in_file, frozenset()
    both = _graph([a | b for a, b in zip(reads, later, strict=True)])
    if nx.is_directed_acyclic_graph(both):
        return list(nx.lexicographical_topological_sort(both)), frozenset()
    graph = _graph(reads)
    circles = _report_circles(graph, layers, names, report)
    return list(nx.lexicographical_topological_sort(graph)), circles


def _graph(reads: list[set[int]]) -> nx.DiGraph[int]:
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(len(reads)))
    graph.add_edges_from((j, i) for i, found in enumerate(reads) for j in found)
    return graph


def _reads(index: int, layer: Layer, place: dict[str, int], scope: Scope) -> set[int]:
    refs = _refs(layer, scope)
    found = {place[h] for r in refs or () if (h := r.partition(".")[0]) in place}
    if (refs is None or "prev" in refs) and index:
        found.add(index - 1)
    return found


def _refs(layer: Layer, scope: Scope) -> list[str] | None:
    """Return the names that a layer reads, None where it reads the layer before it."""
    written = _written(layer, scope)
    return None if written is None else [n for ref in written for n in alternatives(ref)]


def _written(layer: Layer, scope: Scope) -> list[str] | None:
    sized_by = scope.sized_by(layer)
    if sized_by is not None:
        return [*(_computed_with(layer) or ["prev"]), sized_by]
    return _computed_with(layer)


def _computed_with(layer: Layer) -> list[str] | None:
    if isinstance(layer, JoinLayer):
        return list(layer.joined)
    given = layer.common.inputs
    if isinstance(given, str):
        return [given]
    if isinstance(given, list):
        return [r for r in given if isinstance(r, str)]
    return [str(r) for r in given.values()] if isinstance(given, dict) else None


def _outward(layer: Layer, scope: Scope) -> set[str]:
    """Return the names that layers inside this one read and that none of them bears."""
    found: set[str] = set()
    for layers in layer.inner:
        own = {inner.name for inner in layers}
        for inner in layers:
            refs = {r.partition(".")[0] for r in _refs(inner, scope) or ()}
            found |= (refs | _outward(inner, scope)) - own
    return found


def _report_circles(
    graph: nx.DiGraph[int], layers: list[Layer], names: list[str], report: Report
) -> frozenset[int]:
    """Report every circle, and take out of the graph the edges that run backwards in one."""
    found: set[int] = set()
    for members in list(nx.strongly_connected_components(graph)):
        inside = graph.subgraph(members)
        if not inside.number_of_edges():
            continue
        found |= members
        circle = [edge[0] for edge in nx.find_cycle(inside)]
        first = circle.index(min(circle))
        report.add(_cycle([*circle[first:], *circle[:first]], layers, names))
        graph.remove_edges_from([(j, i) for j, i in inside.edges if j >= i])
    return frozenset(found)


def _cycle(members: list[int], layers: list[Layer], names: list[str]) -> Diagnostic:
    path = " -> ".join(names[i] for i in [*members, members[0]])
    return Diagnostic(
        "cycle",
        f"layers read each other in a circle: {path}",
        layers[members[0]].span(),
        remarks=tuple(Remark(layers[i].span(), f"`{names[i]}`") for i in members[1:]),
        help="a layer can only read what is computed before it; change one `from`",
    )
