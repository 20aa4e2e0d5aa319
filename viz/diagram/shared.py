"""Which layer or block lends its parameters to another one, in words for its box."""

from __future__ import annotations

from compiler.graph import Graph
from viz.diagram.fold import names_in


def owner_of(graph: Graph, name: str) -> str | None:
    """Return the node or region whose parameters all of a node or region are; None for its own."""
    nodes = [n for m in names_in(graph, name) if (n := graph.nodes[m]).op.parameter_names]
    if not nodes or not nodes[0].share:
        return None
    owner = nodes[0].share.removesuffix(nodes[0].name[len(name) :])
    twins = [graph.nodes.get(owner + node.name[len(name) :]) for node in nodes]
    lends = (twin is not None and (twin.share or twin.name) for twin in twins)
    return owner if [node.share for node in nodes] == list(lends) else None


def shared_words(graph: Graph, name: str) -> str:
    """Return ` (shared with a)` for what has the parameters of `a`, else nothing."""
    owner = owner_of(graph, name)
    if not owner:
        return ""
    enclosing = name.rpartition(".")[0]
    return f" (shared with {owner.removeprefix(f'{enclosing}.')})"
