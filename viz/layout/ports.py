"""Where on its border an arrow meets a box: side by side on an edge, straight at a circle."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

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
            for number in numbers:
                routes[number][-1] = _on_circle(routes[number], widths[box] / 2)
        elif len(numbers) > 1:
            _spread(routes, numbers, REACH * widths[box])


def _on_circle(route: list[Point], radius: float) -> Point:
    (px, py), (x, y) = route[-2], route[-1]
    centre = y + radius
    # The end is where the line to the centre meets the circle.
    length = hypot(px - x, py - centre)
    return x + (px - x) / length * radius, centre + (py - centre) / length * radius


def _spread(routes: list[list[Point]], numbers: list[int], reach: float) -> None:
    def lean(number: int) -> float:
        (px, py), (x, y) = routes[number][-2], routes[number][-1]
        return (px - x) / max(y - py, 1e-6)

    # Arrows from the left end left of the middle, from the right right of it: they cannot cross.
    for side in (-1, 1):
        leaning = sorted(
            (n for n in numbers if side * lean(n) > 1e-6), key=lambda n: side * lean(n)
        )
        for place, number in enumerate(leaning, start=1):
            x, y = routes[number][-1]
            routes[number][-1] = (x + side * reach * place / len(leaning), y)
