"""In which order the layers of a list can be lowered, and which of them form a cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.errors import CompileError, Diagnostic, Remark, Report
from compiler.spec import AddLayer, ConcatLayer, Layer, MultiplyLayer

if TYPE_CHECKING:
    from networkx import DiGraph


def lowering_order(layers: list[Layer], names: list[str], report: Report) -> list[int]:
    """Return the indices of a list's layers so that each comes after the layers it reads.

    A layer without `from` reads the one before it. The order of the file is kept where it can be.

    Raises:
        CompileError: `cycle`, with its members in order.
    """
    if not any(_refs(layer) for layer in layers):
        return list(range(len(layers)))
    place = {name: i for i, name in enumerate(names)}
    reads: list[set[int]] = []
    for i, layer in enumerate(layers):
        refs = _refs(layer)
        found = {place[h] for r in refs or () if (h := r.partition(".")[0]) in place}
        if (refs is None or "prev" in refs) and i:
            found.add(i - 1)
        reads.append(found)
    if all(j < i for i, found in enumerate(reads) for j in found):
        return list(range(len(layers)))
    import networkx as nx  # on use: most lists are read from top to bottom

    graph: DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(len(layers)))
    graph.add_edges_from((j, i) for i, found in enumerate(reads) for j in found)
    if not nx.is_directed_acyclic_graph(graph):
        raise _cycle(graph, layers, names, report)
    return list(nx.lexicographical_topological_sort(graph))


def _refs(layer: Layer) -> list[str] | None:
    """Return the names that a layer reads, None where it reads the layer before it."""
    if isinstance(layer, (ConcatLayer, AddLayer, MultiplyLayer)):
        return list(getattr(layer, layer.op))
    given = layer.common.inputs
    if isinstance(given, str):
        return [given]
    if isinstance(given, list):
        return [r for r in given if isinstance(r, str)]
    return [str(r) for r in given.values()] if isinstance(given, dict) else None


def _cycle(
    graph: DiGraph[int], layers: list[Layer], names: list[str], report: Report
) -> CompileError:
    import networkx as nx

    members = [edge[0] for edge in nx.find_cycle(graph)]
    first = members.index(min(members))
    members = members[first:] + members[:first]
    path = " -> ".join(names[i] for i in [*members, members[0]])
    diagnostic = Diagnostic(
        "cycle",
        f"layers read each other in a circle: {path}",
        layers[members[0]].span(),
        remarks=tuple(Remark(layers[i].span(), f"`{names[i]}`") for i in members[1:]),
        help="a layer can only read what is computed before it; change one `from`",
    )
    return CompileError([*report.diagnostics, diagnostic])
