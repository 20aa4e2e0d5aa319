"""Which copies of a repeat are the same, so that one represents all: `4 x Inception-A`."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal

from compiler.graph import Graph
from compiler.text import show_value

Key = tuple[Hashable, ...]
Fold = Literal["equal", "loops", "none"]


def values_over(graph: Graph, copies: Sequence[str]) -> tuple[str, ...]:
    """Return the arguments in which instances of one block differ: `n = 64, 128, 256`, by name."""
    regions = [graph.regions[name] for name in copies if name in graph.regions]
    if len(regions) < len(copies) or len({region.definition for region in regions}) > 1:
        return ()
    values = {
        name: [show_value(region.arguments[name]) for region in regions]
        for name in regions[0].arguments
    }
    return tuple(f"{n} = {', '.join(v)}" for n, v in values.items() if len(set(v)) > 1)


def runs(graph: Graph, copies: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the copies in runs of neighbours that compute and are drawn the same.

    Copies are the same when their operations, shapes, inner edges and words are: a last copy
    without its activation, or one that is wider, starts a run of its own.
    """
    out: list[list[str]] = []
    before: Key | None = None
    for name in copies:
        key = signature(graph, name)
        if out and key == before:
            out[-1].append(name)
        else:
            out.append([name])
        before = key
    return [tuple(run) for run in out]


def signature(graph: Graph, name: str) -> Key:
    """Return what a node or region is, apart from its name and from where its input is."""
    members = names_in(graph, name)
    place = {member: i for i, member in enumerate(members)}
    outside: dict[str, int] = {}
    rows: list[Hashable] = []
    for member in members:
        node = graph.nodes[member]
        sources = tuple(
            place[s] if s in place else -1 - outside.setdefault(s, len(outside))
            for s in node.inputs
        )
        words = (node.info.label, node.info.drawn, node.share is not None)
        rows.append((node.op, sources, graph.input_shapes(node), node.shape, words))
    return (*rows, _label(graph, name))


def _label(graph: Graph, name: str) -> str | None:
    region = graph.regions.get(name)
    return region.info.label if region else None


def names_in(graph: Graph, name: str) -> tuple[str, ...]:
    """Return the nodes that a node's or region's name refers to, in execution order."""
    if name in graph.regions:
        return tuple(node.name for node in graph.nodes_in(name))
    return (name,)
