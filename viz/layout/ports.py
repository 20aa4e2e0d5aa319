"""Where on its border an arrow meets a box: side by side on an edge, straight at a circle."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, inf

from viz.diagram.parts import Arrow
from viz.layout.placed import Point

REACH = 0.36
"""Arrows meet an edge within this part of its width on either side of its middle."""


def spread_heads(
    arrows: Sequence[Arrow], routes: list[list[Point]], widths: dict[str, float], circles: set[str]
) -> None:
    """Move the last points of `routes`, so that arrows into one box do not hide each other.

    An arrow that comes straight from below keeps the middle; the others keep their order.
    """
    heads: dict[str, list[int]] = {}
    for number, arrow in enumerate(arrows):
        heads.setdefault(arrow.head, []).append(number)
    for box, numbers in heads.items():
        if box in circles:
            middle = routes[numbers[0]][-1]
            _spread(routes, [n for n in numbers if _is_upright(routes[n])], REACH * widths[box])
            for number in numbers:
                routes[number][-1] = _on_circle(routes[number], middle, widths[box] / 2)
        elif len(numbers) > 1:
            _spread(routes, numbers, REACH * widths[box])


def _on_circle(route: list[Point], bottom: Point, radius: float) -> Point:
    """Return where an arrow meets a circle: on its way straight up, or to the centre."""
    (px, py), (x, y) = route[-2], bottom
    centre = y + radius
    if _is_upright(route):
        return px, centre - (radius**2 - (px - x) ** 2) ** 0.5
    length = hypot(px - x, py - centre)
    return x + (px - x) / length * radius, centre + (py - centre) / length * radius


def _spread(routes: list[list[Point]], numbers: list[int], reach: float) -> None:
    # Arrows from the left end left of the middle, from the right right of it: they cannot cross.
    for side in (-1, 1):
        leaning = sorted(
            (n for n in numbers if side * _lean(routes[n]) > 1e-6),
            key=lambda n: (_track(routes[n]), side * _lean(routes[n])),
        )
        for place, number in enumerate(leaning, start=1):
            _shift(routes[number], side * reach * place / len(leaning))


def _lean(route: list[Point]) -> float:
    """Return how far an arrow comes from the left (negative) or right for each point that it rises.

    What comes along a track and then straight up leans as its track does.
    """
    (px, py), (x, y) = route[-3 if _is_upright(route) else -2], route[-1]
    return (px - x) / max(y - py, 1e-6)


def _track(route: list[Point]) -> float:
    """Return how high the track is along which an arrow comes; the lowest for one that slants."""
    return route[-2][1] if _is_upright(route) else -inf


def _is_upright(route: list[Point]) -> bool:
    """True where an arrow ends straight up after a horizontal piece."""
    return len(route) > 2 and route[-2][0] == route[-1][0] and route[-3][1] == route[-2][1]


def _shift(route: list[Point], dx: float) -> None:
    """Move the end of an arrow sideways, with all of the upright piece that it ends in."""
    if _is_upright(route):
        route[-2] = route[-2][0] + dx, route[-2][1]
    route[-1] = route[-1][0] + dx, route[-1][1]
