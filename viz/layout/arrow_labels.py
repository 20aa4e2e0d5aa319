"""Where the labels of arrows are placed: clear of its line, of boxes and of other arrows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from math import hypot

from viz.layout.placed import Point
from viz.layout.straighten import Rect, clip

GAP = 3.0
"""Points between a line and the words beside it."""
ALONG = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)
"""Parts of a piece at which words are tried."""


def place_labels(
    routes: Sequence[Sequence[Point]],
    sizes: Mapping[int, tuple[float, float]],
    obstacles: Sequence[Rect],
) -> dict[int, Rect]:
    """Return the rectangle of each arrow's label, y upwards.

    Args:
        routes: the points of all arrows.
        sizes: number of an arrow with words -> how wide and how high they are.
        obstacles: boxes, sizes and captions.
    """
    # Greedy, in the order of the arrows: an exact placement is NP-hard, and few arrows have labels.
    occupied = list(obstacles)
    pieces = [piece for route in routes for piece in itertools.pairwise(route)]
    out: dict[int, Rect] = {}
    for number, size in sizes.items():
        places = _places(routes[number], *size)
        out[number] = _best(places, occupied, pieces)
        occupied.append(out[number])
    return out


def _best(
    places: Iterator[Rect], occupied: Sequence[Rect], pieces: Sequence[tuple[Point, Point]]
) -> Rect:
    """Return the first place that touches nothing, or else the one that touches least."""
    best, least = next(places), None
    for place in itertools.chain([best], places):
        touched = sum(_meet(place, rect) for rect in occupied)
        touched += sum(clip(a, b, place) for a, b in pieces)
        if least is None or touched < least:
            best, least = place, touched
        if not touched:
            break
    return best


def _places(route: Sequence[Point], width: float, height: float) -> Iterator[Rect]:
    """Yield places beside an arrow: at its last piece first, on the side that it leans from."""
    for a, b in reversed(list(itertools.pairwise(route))):
        # A line that leans right has more free space at its left, and the other way round.
        sides = (-1, 1) if b[0] > a[0] + 1 else (1, -1)
        shifts = _shifts(a, b, width, height)
        for (dx, dy), part, side in itertools.product(shifts, ALONG, sides):
            x = a[0] + part * (b[0] - a[0]) + side * dx
            y = a[1] + part * (b[1] - a[1]) + side * dy
            yield x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _shifts(a: Point, b: Point, width: float, height: float) -> Iterator[Point]:
    """Yield how far from a line words must be to keep clear of it: level with it, then across."""
    length = hypot(b[0] - a[0], b[1] - a[1]) or 1.0
    nx, ny = (b[1] - a[1]) / length, (a[0] - b[0]) / length
    away = (width * abs(nx) + height * abs(ny)) / 2 + GAP
    if abs(nx) > abs(ny):
        yield away / nx, 0.0
    yield away * nx, away * ny


def _meet(a: Rect, b: Rect) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
