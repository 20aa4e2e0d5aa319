"""Two layouts of one picture, a block closed and open -> what opening it changes: a viewer's data.

A frame is entered and left at its gates, so what is inside it does not depend on what is outside,
and most of the picture only moves.
"""

from __future__ import annotations

from dataclasses import dataclass

from viz.layout.placed import Area, Layout, PlacedArrow, PlacedBox, PlacedFrame, Point

EPS = 1e-6


@dataclass(frozen=True, slots=True)
class Opening:
    """What is new when a block is opened, and how far the rest moves."""

    rise: float
    """How much farther from the lower edge of the picture all is that lies above the block."""
    shift: float
    """How much farther from its left edge everything is."""
    width: float
    height: float
    frames: tuple[PlacedFrame, ...]
    boxes: tuple[PlacedBox, ...]
    arrows: tuple[PlacedArrow, ...]
    """Those that are not moved whole: in the frame, at it, and in lanes beside it."""


def find_opening(closed: Layout, opened: Layout, name: str) -> Opening | None:
    """Return what opening the block `name` changes; None where boxes do not all move alike.

    Args:
        closed: the picture with the block as a box.
        opened: the same picture with the block as a frame.
        name: the block's id in both.
    """
    box = next(b.area for b in closed.boxes if b.box.id == name)
    frame = next(f.area for f in opened.frames if f.group.id == name)
    rise = frame.height - box.height
    kept = {b.box.id: b.area for b in closed.boxes if b.box.id != name}
    kept |= {f"frame {f.group.id}": f.area for f in closed.frames}
    now = {b.box.id: b.area for b in opened.boxes}
    now |= {f"frame {f.group.id}": f.area for f in opened.frames}
    # Frames around the block grow with it: their upper and right edges are not compared.
    moves = [
        (now[i].x - area.x, _lift(closed, opened, area, now[i]) - rise * _is_above(area, box))
        for i, area in kept.items()
        if not _holds(area, box)
    ]
    shift = moves[0][0] if moves else 0.0
    if any(abs(dx - shift) > EPS or abs(dy) > EPS for dx, dy in moves):
        return None
    return Opening(
        rise,
        shift,
        opened.width,
        opened.height,
        tuple(f for f in opened.frames if f"frame {f.group.id}" not in kept),
        tuple(b for b in opened.boxes if b.box.id not in kept),
        tuple(_changed(closed, opened, box, (shift, rise))),
    )


def _lift(closed: Layout, opened: Layout, before: Area, after: Area) -> float:
    """Return how much higher something is, counted from the lower edges of the pictures."""
    return (opened.height - after.bottom) - (closed.height - before.bottom)


def _is_above(area: Area, box: Area) -> bool:
    return area.bottom <= box.y + EPS


def _holds(area: Area, box: Area) -> bool:
    return area.y < box.y and box.bottom < area.bottom and area.x < box.x < area.right


def _changed(
    closed: Layout, opened: Layout, box: Area, move: tuple[float, float]
) -> list[PlacedArrow]:
    """Return the arrows of the open picture that are no moved ones of the closed picture."""
    grown = opened.height - closed.height

    def moved(point: Point) -> Point:
        x, y = point
        # y counts from the upper edge, which goes up by all that the picture grows.
        return round(x + move[0], 3), round(y + grown - move[1] * (y <= box.y + EPS), 3)

    before = {
        (a.arrow.tail, a.arrow.head): tuple(map(moved, a.points))
        for a in closed.arrows
        if all(y <= box.y + EPS or y >= box.bottom - EPS for _, y in a.points)
    }
    rounded = {id(a): tuple((round(x, 3), round(y, 3)) for x, y in a.points) for a in opened.arrows}
    return [a for a in opened.arrows if before.get((a.arrow.tail, a.arrow.head)) != rounded[id(a)]]
