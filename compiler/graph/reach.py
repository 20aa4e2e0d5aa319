"""What a unit of an operation's output sees of its input, along each axis."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from compiler.graph.shapes import Pair


@dataclass(frozen=True, slots=True)
class Window:
    """A window that slides over the map."""

    kernel: Pair
    stride: Pair
    dilation: Pair = (1, 1)
    begins: tuple[int | None, int | None] = (0, 0)
    """Padding above and to the left; None where it depends on a size that is left open."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Each unit of the input is spread over `factor` units of the output, along each axis.

    Unit j of the output sees the units from `(j + begin) // factor` to `(j + end) // factor`.
    """

    factor: Pair
    begins: Pair = (0, 0)
    ends: Pair = (0, 0)


class Reach(Enum):
    """What needs no numbers."""

    UNIT = "unit"
    """The unit at the same place."""
    MAP = "map"
    """The whole map: the grid of the output does not depend on that of the input."""
    ALL = "all"
    """The whole map, and the grid of the output depends on that of the input: it is kept."""


Sees = Window | Spread | Reach
