"""Where everything is: what `lay_out` finds and the writers read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from viz.diagram.parts import Arrow, Box, Diagram, Group

Point = tuple[float, float]
"""(x, y) in points from the upper left corner; y grows downwards."""


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text. `y` is the baseline, `x` the anchor."""

    text: str
    x: float
    y: float
    size: float
    width: float
    anchor: Literal["start", "middle", "end"] = "middle"
    role: Literal["label", "note", "size", "caption", "flow", "times", "error"] = "label"

    @property
    def left(self) -> float:
        """Where its first letter begins."""
        return self.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor] * self.width


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle by its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class PlacedBox:
    """A box, its words, and the size beside it. `round` boxes are drawn as an ellipse."""

    box: Box
    area: Area
    texts: tuple[Text, ...]
    round: bool = False


@dataclass(frozen=True, slots=True)
class PlacedFrame:
    """The frame of an opened block with its caption."""

    group: Group
    area: Area
    texts: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class PlacedArrow:
    """An arrow as straight pieces; the head is at the last point."""

    arrow: Arrow
    points: tuple[Point, ...]
    texts: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Swatch:
    """A piece of the scale of a heat map."""

    area: Area
    heat: float
    """From 0 to 1."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A whole picture in points. Frames come before what they hold."""

    diagram: Diagram
    width: float
    height: float
    frames: tuple[PlacedFrame, ...]
    boxes: tuple[PlacedBox, ...]
    """In drawing order: bottom to top, left to right."""
    arrows: tuple[PlacedArrow, ...]
    texts: tuple[Text, ...] = ()
    swatches: tuple[Swatch, ...] = ()
    spine: float = 0.0
    """How far from the left edge the boxes are that most of the data runs through."""
