"""How high short columns are placed beside a tall one: in the middle, in line with its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from viz.layout.placed import Point
from viz.layout.straighten import Rect, hits


@dataclass(frozen=True, slots=True)
class Column:
    """A column before it is lifted: x counts from the spine of the parallel item."""

    x: float
    left: float
    right: float
    height: float
    bottoms: tuple[float, ...]
    """Lower edges of its items, from the lowest up; empty for a line that passes by."""


def lifts(columns: Sequence[Column], below: float | None, above: float | None) -> list[float]:
    """Return how far each column is above the lower edge of the tallest.

    A column in the middle of its height has short arrows at both ends, as in Figures 7 and
    11 of arXiv 1602.07261; whole rows keep the boxes level. Where arrows would bend, the exact
    middle is tried, as in Figure 12, and then the bottom.

    Args:
        columns: from left to right.
        below: the height that arrows from the spine have to reach the columns; None if they
            come from elsewhere.
        above: the same for arrows back to the spine.
    """
    tallest = max(columns, key=lambda c: c.height)
    middles = [(tallest.height - c.height) / 2 if c.bottoms else 0.0 for c in columns]
    # The highest row of the tallest column that is not above the middle.
    rows = [max(y for y in (0.0, *tallest.bottoms) if y <= m + 1e-6) for m in middles]
    level = [0.0] * len(columns)
    choices = [_settled(rows), _settled(middles), level]
    # `min` keeps the first of equals, so this is the order of preference of the docstring.
    return min(choices, key=lambda lifted: _bends(columns, lifted, below, above))


def _settled(wanted: list[float]) -> list[float]:
    """Place no column higher than both its neighbours: Figure 4 keeps it in their row."""
    inner = (
        min(own, max(left, right))
        for left, own, right in zip(wanted, wanted[1:], wanted[2:], strict=False)
    )
    return [wanted[0], *inner, *wanted[1:][-1:]]


def _bends(
    columns: Sequence[Column],
    lifted: Sequence[float],
    below: float | None,
    above: float | None,
) -> int:
    """Return how many arrows into and out of the columns cannot be straight."""
    height = max(c.height for c in columns)
    solid = [(c, y) for c, y in zip(columns, lifted, strict=True) if c.bottoms]
    rects: list[Rect] = [(c.x - c.left, y, c.x + c.right, y + c.height) for c, y in solid]
    count = 0
    for i, (column, y) in enumerate(solid):
        lines: list[tuple[Point, Point]] = []
        if below is not None:
            lines.append(((0.0, -below), (column.x, y)))
        if above is not None:
            lines.append(((column.x, y + column.height), (0.0, height + above)))
        # A column's own box ends the line, so it cannot be in its way.
        others = rects[:i] + rects[i + 1 :]
        count += sum(any(hits(*line, rect) for rect in others) for line in lines)
    return count
