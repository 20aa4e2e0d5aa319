"""Items in rows, and the lanes between them for flows that pass rows."""

from __future__ import annotations

from dataclasses import dataclass, field

from viz.layout.flows import Flow

Extent = tuple[float, float, float]
"""(left of the spine, right of it, height)."""
Span = tuple[float, float]
"""(leftmost, rightmost) x, from the spine."""


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
