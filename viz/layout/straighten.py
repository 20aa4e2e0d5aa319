"""Takes bends out of arrows where the straight line touches no box and crosses no other arrow."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from viz.layout.placed import Point

Rect = tuple[float, float, float, float]
"""(left, bottom, right, top)."""
CLEARANCE = 3.0
"""Points to keep from boxes."""
BAND = 40.0
"""The height of the bands, in points, in which lines are looked up."""


def straighten(
    routes: list[list[Point]], loose: Sequence[int], obstacles: list[Rect]
) -> list[list[Point]]:
    """Return the routes with every bend gone that is not needed.

    A bend goes if the straight line between its neighbours keeps clear of all boxes and
    crosses no arrow that the bent one did not cross; a bend at the end of a vertical piece
    that cannot go comes as early as it can. One arrow made straight may make space for the
    next, so this is repeated until nothing changes.

    Args:
        routes: the points of all arrows.
        loose: the numbers of those that may be changed.
        obstacles: boxes, sizes and captions.
    """
    index = _Index(obstacles)
    out = [list(route) for route in routes]
    lines = _Lines(out)
    bent = [number for number in loose if len(out[number]) > 2]
    while bent:
        changed = [number for number in bent if _straighten_one(number, out[number], index, lines)]
        bent = [number for number in bent if len(out[number]) > 2] if changed else []
        for number in changed:
            lines.note(number)
    return out


def _straighten_one(number: int, route: list[Point], index: _Index, lines: _Lines) -> bool:
    before = list(route)
    place = 1
    while place < len(route) - 1:
        start, bend, end = route[place - 1 : place + 2]
        # Crossings that are there anyway may stay; only new ones forbid the straight line.
        allowed = lines.crossings(number, start, bend) + lines.crossings(number, bend, end)

        def is_good(a: Point, b: Point, most: int = allowed) -> bool:
            return index.is_clear(a, b) and lines.crossings(number, a, b) <= most

        if is_straight(start, bend, end) or is_good(start, end):
            del route[place]
            continue
        # The vertical piece may end lower: then the slanted one is longer, and flatter to look at.
        if start[0] == bend[0]:
            heights = (y for y in index.tops(start[1], bend[1]) if is_good((bend[0], y), end))
            route[place] = (bend[0], next(heights, bend[1]))
        place += 1
    return route != before


def is_straight(a: Point, b: Point, c: Point) -> bool:
    """True when a point on the way from one to another is no bend."""
    return abs(_side(a, b, c)) < 1e-6 and min(a[1], c[1]) - 1e-6 <= b[1] <= max(a[1], c[1]) + 1e-6


def _side(a: Point, b: Point, c: Point) -> float:
    """Return twice the area of a triangle: positive where c lies to the left of a-b."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """True when the inner parts of two segments meet in one point."""
    eps = 1e-6
    first, second = _side(a, b, c), _side(a, b, d)
    third, fourth = _side(c, d, a), _side(c, d, b)
    return ((first > eps and second < -eps) or (first < -eps and second > eps)) and (
        (third > eps and fourth < -eps) or (third < -eps and fourth > eps)
    )


class _Index:
    """Boxes by height, so that a line is tried against its neighbours only."""

    def __init__(self, obstacles: list[Rect]) -> None:
        self.rects = sorted(obstacles, key=lambda r: r[1])
        self.bottoms = [r[1] for r in self.rects]
        self.tallest = max((r[3] - r[1] for r in self.rects), default=0.0)

    def tops(self, low: float, high: float) -> list[float]:
        """Return the heights just above boxes between two heights, from the lowest up."""
        tops = sorted({r[3] + CLEARANCE + 0.5 for r in self.rects if low < r[3] < high})
        return [y for y in tops if y < high]

    def is_clear(self, a: Point, b: Point) -> bool:
        low, high = min(a[1], b[1]), max(a[1], b[1])
        # Sorted by lower edge: what reaches up to `low` begins within the tallest below it.
        first = bisect_left(self.bottoms, low - self.tallest - CLEARANCE)
        last = bisect_right(self.bottoms, high + CLEARANCE)
        return not any(hits(a, b, self.rects[i]) for i in range(first, last))


def hits(a: Point, b: Point, rect: Rect) -> bool:
    """True when a segment comes within the clearance of a rectangle that it does not end on."""
    left, bottom, right, top = rect
    ends_on = any(
        left <= x <= right and (abs(y - bottom) < 1e-6 or abs(y - top) < 1e-6) for x, y in (a, b)
    )
    # A line ends on its own boxes, which would count as hit; shrunk by 0.1 pt they do not.
    grow = -0.1 if ends_on else CLEARANCE
    return clip(a, b, (left - grow, bottom - grow, right + grow, top + grow))


def clip(a: Point, b: Point, rect: Rect) -> bool:
    """True when part of a segment lies inside a rectangle (Liang and Barsky)."""
    start, end = 0.0, 1.0
    dx, dy = b[0] - a[0], b[1] - a[1]
    for delta, distance in (
        (-dx, a[0] - rect[0]),
        (dx, rect[2] - a[0]),
        (-dy, a[1] - rect[1]),
        (dy, rect[3] - a[1]),
    ):
        # Parallel to this edge: inside or outside for the whole segment.
        if delta == 0:
            if distance <= 0:
                return False
            continue
        t = distance / delta
        if delta < 0:
            start = max(start, t)
        else:
            end = min(end, t)
    return start < end


class _Lines:
    """All arrows by height, to count what a new piece would cross."""

    def __init__(self, routes: list[list[Point]]) -> None:
        self.routes = routes
        self.bands: dict[int, set[int]] = {}
        for number in range(len(routes)):
            self.note(number)

    def note(self, number: int) -> None:
        """Note at which heights an arrow is; where it was before does no harm."""
        for (_, low), (_, high) in itertools.pairwise(self.routes[number]):
            for band in _bands(low, high):
                self.bands.setdefault(band, set()).add(number)

    def crossings(self, own: int, a: Point, b: Point) -> int:
        """Return how many pieces of other arrows a piece crosses."""
        near = set().union(*(self.bands.get(band, ()) for band in _bands(a[1], b[1])))
        pieces = (piece for n in near - {own} for piece in itertools.pairwise(self.routes[n]))
        return sum(cross(a, b, c, d) for c, d in pieces)


def _bands(y: float, other: float) -> range:
    return range(int(min(y, other) // BAND), int(max(y, other) // BAND) + 1)
