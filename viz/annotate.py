"""Lines of numbers in a box: shapes, parameters, MACs, receptive field."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.graph import Graph

ANNOTATIONS = ("shapes", "params", "macs", "rf")
"""What `--show` offers."""


class Annotator:
    """Writes the lines that a view asks for."""

    def __init__(self, graph: Graph, show: Sequence[str]) -> None:
        self.graph = graph
        self.show = tuple(show)

    def notes(self, members: tuple[str, ...], output: str) -> tuple[str, ...]:
        """Return the lines for a box of `members` whose tensor is `output`."""
        nodes = [self.graph.nodes[m] for m in members]
        lines = {
            "shapes": lambda: self.graph.nodes[output].shape.paper,
            "params": lambda: _count(sum(map(self.graph.count_params, nodes)), "parameters"),
            "macs": lambda: _count(sum(map(self.graph.count_macs, nodes)), "MACs"),
            "rf": lambda: "",
        }
        return tuple(text for name in self.show if (text := lines[name]()))


def _count(number: int, unit: str) -> str:
    return f"{number:,} {unit}" if number else ""
