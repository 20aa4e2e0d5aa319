"""A comparison -> what became of each operation, for pictures of both networks."""

from __future__ import annotations

from typing import Literal

from compiler.compare.change import Comparison
from compiler.compare.layers import Layers
from compiler.graph import Graph

Mark = Literal["added", "removed", "changed"]
Marks = dict[str, Mark]
"""Node -> what became of it."""


def marks(found: Comparison, before: Graph, after: Graph) -> tuple[Marks, Marks]:
    """Return the marks of the first network, where things are removed, and of the second one."""
    old, new = Layers(before), Layers(after)
    first: Marks = {}
    second: Marks = {}
    for change in found.changes:
        word: Mark = "changed" if change.kind == "renamed" else change.kind
        first |= {node.name: word for layer in change.were for node in old.nodes[layer]}
        second |= {node.name: word for layer in change.members for node in new.nodes[layer]}
    return first, second
