"""What several formats write alike: numbers, the shape of an arrow, words for who cannot see."""

from __future__ import annotations

from viz.layout.placed import Layout, Point
from viz.style.text import visible

HEAD_LENGTH, HEAD_WIDTH = 6.25, 4.5
"""Of an arrowhead, in widths of its line."""


def number(value: float) -> str:
    """Return a length with at most two decimals, the same on every machine."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def arrow_shape(points: tuple[Point, ...], width: float) -> tuple[list[Point], list[Point]]:
    """Return a line of some width without its tip, and the three corners of its head."""
    (x0, y0), (x1, y1) = points[-2], points[-1]
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1.0
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    reach = min(HEAD_LENGTH * width, 0.8 * length)
    bx, by = x1 - reach * ux, y1 - reach * uy
    half = HEAD_WIDTH * width / 2
    head = [(x1, y1), (bx - half * uy, by + half * ux), (bx + half * uy, by - half * ux)]
    return [*points[:-1], (bx, by)], head


def describe(layout: Layout) -> str:
    """Return what is to be seen, for readers who cannot see it."""
    labels = [visible(" ".join(placed.box.label.split())) for placed in layout.boxes]
    ends = f", from {labels[0]} at the bottom to {labels[-1]} at the top" if labels else ""
    words = f"{len(labels)} boxes and {len(layout.arrows)} arrows{ends}."
    return " ".join([words, *(f"Fault: {visible(note)}." for note in layout.diagram.notes)])
