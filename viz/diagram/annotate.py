"""Lines of numbers in a box: shapes, parameters, MACs, receptive field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from compiler.facts.summarize import summarize
from compiler.graph import Dim, Graph, Node, floor_divide, show_count, tally
from compiler.ops import Add, Scale
from viz.diagram.parts import Box, Group, walk

ANNOTATIONS = ("shapes", "params", "macs", "rf", "hidden")
"""What `--show` offers: lines in boxes, and boxes for what figures leave out."""
UNITS = (("T", 10**12), ("G", 10**9), ("M", 10**6))
EVERYTHING = 1000
"""A depth that no spec reaches."""


@dataclass(frozen=True, slots=True)
class BoxSubject:
    """What the numbers in a box are about: of several copies the last."""

    output: str
    """The node whose tensor is the box's output."""
    name: str
    """The node or region that the box represents."""


class Annotator:
    """Writes the lines that a view asks for."""

    def __init__(self, graph: Graph, show: Sequence[str]) -> None:
        self.graph = graph
        self.show = tuple(show)
        self.counted: Mapping[str, tuple[Callable[[Node], Dim], str]] = {
            "params": (graph.count_params, "parameters"),
            "macs": (graph.count_macs, "MACs"),
        }

    def box(self, box: Box, subject: BoxSubject, copies: int) -> tuple[str, ...]:
        """Return the lines for a box.

        Args:
            box: it holds operations, and the same ones of every copy that it represents.
            subject: what of it has a shape and a receptive field.
            copies: how many copies the frames that enclose the box represent: the lines
                are about one of these.
        """
        nodes = [self.graph.nodes[m] for m in box.members]
        guests = [(g.name, [self.graph.nodes[m] for m in g.members]) for g in box.guests]
        # What has no parameters and no name in a figure, a residual's scaling, is the box's own.
        hidden = {n.name for _, inner in guests if self._params(inner) for n in inner}
        own = [node for node in nodes if node.name not in hidden]
        lines = [_scaling(nodes)]
        for word in self.show:
            if word == "shapes":
                lines.append(self.graph.nodes[subject.output].shape.paper)
            elif word == "rf":
                lines.append(self._field(subject.name))
            elif word in self.counted:
                lines.append(self._count(word, own, copies, box.times))
                lines += [
                    f"{name}: {line}"
                    for name, inner in guests
                    if inner[0].name in hidden
                    and (line := self._count(word, inner, copies, box.times))
                ]
        return tuple(line for line in lines if line)

    def _params(self, nodes: Sequence[Node]) -> Dim:
        return tally(map(self.graph.count_params, nodes))

    def frame(self, group: Group, copies: int) -> tuple[str, ...]:
        """Return the lines for a frame: what is inside, added up."""
        boxes = [item for item in walk(group.content) if isinstance(item, Box)]
        nodes = [self.graph.nodes[name] for box in boxes for name in box.members]
        words = [word for word in self.show if word in self.counted]
        lines = [self._count(word, nodes, copies, group.times) for word in words]
        return tuple(line for line in lines if line)

    def _count(self, word: str, nodes: Sequence[Node], copies: int, times: int) -> str:
        """Return a count with its unit, for several copies with that of each: `8 MACs (4 x 2)`."""
        count, unit = self.counted[word]
        total = floor_divide(tally(map(count, nodes)), 0, copies)
        if total == 0:
            return ""
        each = floor_divide(total, 0, times)
        copies_of = f" ({times} x {readable(each)})" if times > 1 and each is not None else ""
        return f"{readable(total)} {unit}{copies_of}"

    @cached_property
    def _fields(self) -> dict[str, tuple[int, int] | None]:
        stages = summarize(self.graph, depth=EVERYTHING).stages
        return {stage.name: stage.receptive_field for stage in stages}

    def _field(self, name: str) -> str:
        field = self._fields.get(name)
        return f"sees {field[0]}x{field[1]}" if field else ""


def readable(count: Dim) -> str:
    """Return a count as people read it: `37,056`, and from a million on `1.27 M` or `12.3 G`.

    >>> readable(37_056), readable(1_270_528), readable(5_930_000_000)
    ('37,056', '1.27 M', '5.93 G')
    """
    if not isinstance(count, int):
        return show_count(count)
    for unit, size in UNITS:
        if count >= size:
            whole = len(str(count // size))
            return f"{count / size:.{max(3 - whole, 0)}f} {unit}"
    return show_count(count)


def _scaling(nodes: Sequence[Node]) -> str:
    """Return what a residual's scaling multiplies by: it has no box of its own."""
    scales = [n.op.factor for n in nodes if isinstance(n.op, Scale)]
    is_sum = len(scales) < len(nodes) and is_scaled_sum(nodes)
    return f"residual x {scales[0]:g}" if scales and is_sum else ""


def is_scaled_sum(nodes: Sequence[Node]) -> bool:
    """True for the operations of an addition and of the scaling that a residual brings along."""
    return all(isinstance(n.op, Add | Scale) for n in nodes)
