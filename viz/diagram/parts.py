"""The picture as data: boxes, arrows, and the columns and frames that hold them.

A diagram says *what* is drawn and in which order, never where: `viz.layout` finds positions,
`arrange` makes diagrams from graphs. Reading order is drawing order: bottom to top, and
left to right among the columns of a `Parallel`.

    Series    boxes one above the other, on one vertical line
    Parallel  columns side by side; what splits before them and joins after them are boxes
              of the enclosing series
    Group     a frame with a caption around a series: an opened block
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from compiler.graph import OpKind

BoxKind = OpKind | Literal["stem", "inception", "reduction", "block", "output"]
"""What a box is; the theme gives each kind its colour, and `add` its circle."""
Mark = Literal["added", "removed", "changed"]
"""What became of a box between two networks; the theme gives each its colours."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A layer that is drawn in the box of the one that reads it."""

    name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """One box: an operation, a layer of several operations, or a closed block."""

    id: str
    """Unique in the diagram: the path of the node or region that it represents."""
    label: str
    """Its words on one line, as the paper prints them: `3x3 Conv (96 stride 2 V)`."""
    kind: BoxKind
    size: str | None = None
    """What is printed beside it: `35x35x384`, `Output: 35x35x384`."""
    notes: tuple[str, ...] = ()
    """Annotations under the label, one line each: shapes, parameters, MACs, receptive field."""
    members: tuple[str, ...] = ()
    """Names of the graph nodes that it represents; a node is in exactly one box."""
    guests: tuple[Guest, ...] = ()
    """What of these has no box of its own: a classifier that the paper does not draw."""
    region: str | None = None
    """The region that it represents, where it could be opened."""
    times: int = 1
    """How many equal copies it represents (already in the label)."""
    failed: bool = False
    """An error in the spec was found here."""
    optional: bool = False
    """It is absent unless the condition in its label holds."""
    marked: bool = False
    """Drawn apart, to be looked at: it differs from the same box of another picture."""
    mark: Mark | None = None
    heat: float | None = None
    """Its part of the largest value in the picture, from 0 to 1, in a heat map."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """Data flowing from box `tail` to box `head`."""

    tail: str
    head: str
    label: str | None = None
    """Words beside it: the shape that flows, where requested or where it does not fit."""
    failed: bool = False
    """What flows here does not fit what `head` needs."""
    times: int = 1
    """For how many equal operands it stands."""

    @property
    def words(self) -> str:
        """What is written beside it: `35x35x64`, `x2`, `35x35x64 x2`; "" for nothing."""
        return " ".join(filter(None, (self.label, f"x{self.times}" * (self.times > 1))))


@dataclass(frozen=True, slots=True)
class Series:
    """Items one above the other; the first is the lowest."""

    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Parallel:
    """Columns side by side, left to right. An empty column is a line that passes by."""

    columns: tuple[Series, ...]
    spine: int | None = None
    """The column in line with the boxes below and above; None: the middle."""


@dataclass(frozen=True, slots=True)
class Group:
    """A frame around the contents of one opened block, with a caption."""

    id: str
    label: str
    kind: BoxKind
    content: Series
    region: str | None = None
    times: int = 1
    size: str | None = None
    """What is printed beside its last box's way out: the size of its output."""
    notes: tuple[str, ...] = ()
    """Lines under the caption: what all that is inside adds up to."""


Item = Box | Parallel | Group


@dataclass(frozen=True, slots=True)
class Legend:
    """What the colours of a heat map mean."""

    title: str
    largest: str
    """The value of the hottest box."""


@dataclass(frozen=True, slots=True)
class Diagram:
    """A whole picture. `arrows` are ordered by their heads' operands."""

    name: str
    title: str
    content: Series
    arrows: tuple[Arrow, ...]
    notes: tuple[str, ...] = field(default=())
    """Lines under the picture, for what belongs to no box."""
    legend: Legend | None = None
    """Of a heat map."""

    def boxes(self) -> Iterator[Box]:
        """Yield the boxes in drawing order: bottom to top, columns left to right."""
        for item in walk(self.content):
            if isinstance(item, Box):
                yield item

    def groups(self) -> Iterator[Group]:
        """Yield the frames, outer ones before the frames inside them."""
        for item in walk(self.content):
            if isinstance(item, Group):
                yield item


def walk(series: Series) -> Iterator[Item]:
    """Yield every item under `series`, parents before children, without recursion."""
    stack: list[Item] = list(reversed(series.items))
    while stack:
        item = stack.pop()
        yield item
        if isinstance(item, Group):
            stack.extend(reversed(item.content.items))
        elif isinstance(item, Parallel):
            for column in reversed(item.columns):
                stack.extend(reversed(column.items))


def map_boxes(series: Series, change: Callable[[Box], Box | None]) -> Series:
    """Return the series with every box changed; a box that becomes None is taken out."""
    items: list[Item] = []
    for item in series.items:
        if isinstance(item, Group):
            items.append(replace(item, content=map_boxes(item.content, change)))
        elif isinstance(item, Parallel):
            columns = tuple(map_boxes(column, change) for column in item.columns)
            items.append(replace(item, columns=columns))
        elif (changed := change(item)) is not None:
            items.append(changed)
    return Series(tuple(items))
