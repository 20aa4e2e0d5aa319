"""How high the gap between two rows must be for the lines that fan out in it."""

from __future__ import annotations

from viz.style.theme import Theme

Span = tuple[float, float]
"""(leftmost, rightmost) x, from the spine."""
SLOPE, LIMIT = 0.25, 3.0
"""Slanted lines rise by this part of their reach, up to so many row gaps."""


def rise(reach: float, theme: Theme) -> float:
    """Return the height between two rows with a line that goes so far sideways.

    A constant slope, but no gap so high that the picture falls apart.
    """
    return min(max(theme.row_gap, SLOPE * reach), LIMIT * theme.row_gap)


def is_steep(reach: float, theme: Theme) -> bool:
    """True where a line that goes so far sideways can be a slanted one."""
    return SLOPE * reach <= LIMIT * theme.row_gap
