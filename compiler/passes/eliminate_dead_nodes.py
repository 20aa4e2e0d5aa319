"""Take out the nodes that no output depends on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from compiler.graph import Graph, Node
from compiler.passes.rewrite import Rewrite
from compiler.recipe import Read


def eliminate_dead_nodes(graph: Graph) -> Graph:
    """Take out the nodes that no output depends on.

    Precondition: none. Inputs of the network stay. Where a node that goes owns parameters, the
    first live node that shares them owns them from then on, and its recipes read the old ones.
    Numbers: bit for bit the same. Training-safe.

    Before:
        %a = Conv2d(%x) {out_channels=8, kernel_size=1x1} : (N, 8, 5, 5)
        %b = MaxPool2d(%x) {kernel_size=3x3} : (N, 3, 5, 5)
        return %a

    After:
        %a = Conv2d(%x) {out_channels=8, kernel_size=1x1} : (N, 8, 5, 5)
        return %a
    """
    kept = keep_only(graph, (output.node for output in graph.outputs))
    recipes = dict(kept.recipes)
    for node in kept.nodes.values():
        owner = graph.nodes[node.name].share
        if owner is not None and node.share is None:
            for part in node.op.parameter_names:
                read = f"{owner}.{part}"
                recipes[f"{node.name}.{part}"] = graph.recipes.get(read, Read(read))
    return kept if recipes == kept.recipes else replace(kept, recipes=recipes)


def keep_only(graph: Graph, wanted: Iterable[str]) -> Graph:
    """Take out the nodes that none of `wanted` depends on, but for the network's inputs.

    What inherits parameters has them under its own name: the network never had the others.
    """
    live = needed(graph, wanted)
    if len(live) == len(graph.nodes):
        return graph
    rewrite = Rewrite(graph)
    for name in graph.nodes:
        if name not in live:
            rewrite.drop(name, None)
    for node in _heirs(graph, live):
        rewrite.set(node)
    return rewrite.finish()


def needed(graph: Graph, wanted: Iterable[str]) -> set[str]:
    """Return the nodes that `wanted` depends on, and the inputs of the network."""
    found, stack = set(graph.inputs), list(wanted)
    while stack:
        name = stack.pop()
        if name not in found:
            found.add(name)
            stack.extend(graph.nodes[name].inputs)
    return found


def _heirs(graph: Graph, live: set[str]) -> Iterable[Node]:
    """Yield the live nodes whose parameters a dead node owned, with an owner that lives."""
    heirs: dict[str, str] = {}
    for node in graph.nodes.values():
        if node.name in live and node.share is not None and node.share not in live:
            owner = heirs.setdefault(node.share, node.name)
            yield replace(node, share=None if owner == node.name else owner)
