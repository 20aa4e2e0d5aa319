"""Lines of numbers in a box: shapes, parameters, MACs, receptive field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from compiler.graph import Graph, Node
from compiler.ops import Add, Scale
from compiler.shapes import Dim, plus, show
from compiler.summarize import summarize

ANNOTATIONS = ("shapes", "params", "macs", "rf")
"""What `--show` offers."""
EVERYTHING = 1000
"""A depth that no spec reaches."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What the numbers in a box are about: of several copies the last."""

    output: str
    """The node whose tensor leaves the box."""
    name: str
    """The node or region that the box stands for."""


class Annotator:
    """Writes the lines that a view asks for."""

    def __init__(self, graph: Graph, show: Sequence[str]) -> None:
        self.graph = graph
        self.show = tuple(show)
        self.writers: Mapping[str, Callable[[Sequence[Node], str, str], str]] = {
            "shapes": lambda nodes, output, name: graph.nodes[output].shape.paper,
            "params": lambda nodes, *_: _count(plus(map(graph.count_params, nodes)), "parameters"),
            "macs": lambda nodes, *_: _count(plus(map(graph.count_macs, nodes)), "MACs"),
            "rf": lambda nodes, output, name: self._field(name),
        }

    def notes(self, members: Sequence[str], subject: Subject) -> tuple[str, ...]:
        """Return the lines for a box that holds the operations `members`."""
        if not self.show:
            return ()
        nodes = [self.graph.nodes[m] for m in members]
        lines = [_scaling(nodes)]
        lines += [self.writers[word](nodes, subject.output, subject.name) for word in self.show]
        return tuple(line for line in lines if line)

    @cached_property
    def _fields(self) -> dict[str, tuple[int, int] | None]:
        stages = summarize(self.graph, depth=EVERYTHING).stages
        return {stage.name: stage.receptive_field for stage in stages}

    def _field(self, name: str) -> str:
        field = self._fields.get(name)
        return f"sees {field[0]}x{field[1]}" if field else ""


def _scaling(nodes: Sequence[Node]) -> str:
    """Return what a residual's scaling multiplies by: it has no box of its own to say it."""
    scales = [n.op.factor for n in nodes if isinstance(n.op, Scale)]
    joins = scales and all(isinstance(n.op, Add | Scale) for n in nodes)
    return f"residual x {scales[0]:g}" if joins else ""


def _count(count: Dim, unit: str) -> str:
    if count == 0:
        return ""
    return f"{count:,} {unit}" if isinstance(count, int) else f"{show(count)} {unit}"
