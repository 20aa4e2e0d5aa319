"""Items in rows, and the lanes between them for flows that pass rows."""

from __future__ import annotations

from dataclasses import dataclass, field

from viz.layout.flows import Flow
from viz.style.theme import Theme

Extent = tuple[float, float, float]
"""(left of the spine, right of it, height)."""
Span = tuple[float, float]
"""(leftmost, rightmost) x, from the spine."""

SLOPE, LIMIT = 0.25, 3.0
"""Slanted lines rise by this part of their reach, up to so many row gaps."""


def rise(reach: float, theme: Theme) -> float:
    """Return the height between two rows with a line that goes so far sideways.

    A constant slope, but no gap so high that the picture falls apart.
    """
    return min(max(theme.row_gap, SLOPE * reach), LIMIT * theme.row_gap)


@dataclass(slots=True)
class Grid:
    """Items and lanes in rows. Item numbers come first, then BELOW, ABOVE and the lanes' cells."""

    extents: list[Extent]
    rows: list[list[int]] = field(default_factory=list)
    pieces: list[tuple[int, int]] = field(default_factory=list)
    """Flows between neighbouring rows."""
    lanes: dict[int, list[int]] = field(default_factory=dict)
    """Item -> the cells of the lane that starts there, from the lowest up."""
    stops: dict[Flow, list[int]] = field(default_factory=dict)
    """Flow -> the lane cells that it passes."""
