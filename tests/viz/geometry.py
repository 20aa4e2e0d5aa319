"""What must never be in a picture, measured on its layout."""

from __future__ import annotations

from itertools import combinations, pairwise

from viz.layout.placed import Area, Layout, Point, Text

Rect = tuple[float, float, float, float]
"""(left, top, right, bottom)."""


def overlaps(layout: Layout) -> list[tuple[str, str]]:
    """Return boxes, sizes, captions and words at arrows that lie on each other."""
    rects = [(b.box.id, _rect(b.area)) for b in layout.boxes]
    rects += [
        (f"size of {b.box.id}", _text(t)) for b in layout.boxes for t in b.texts if t.role == "size"
    ]
    rects += [(f"caption of {f.group.id}", _text(t)) for f in layout.frames for t in f.texts]
    rects += [(f"words at {a.arrow.tail}", _text(t)) for a in layout.arrows for t in a.texts]
    return [(a, b) for (a, r), (b, s) in combinations(rects, 2) if _meet(r, s)]


def clipped(layout: Layout) -> list[str]:
    """Return texts that stick out of their box, and anything that sticks out of the picture."""
    out = []
    for placed in layout.boxes:
        inside = [t for t in placed.texts if t.role in ("label", "note")]
        out += [t.text for t in inside if not _within(_text(t), _rect(placed.area))]
    page = (0.0, 0.0, layout.width, layout.height)
    boxes = [(b.box.id, _rect(b.area)) for b in layout.boxes]
    frames = [(f.group.id, _rect(f.area)) for f in layout.frames]
    words = [t for b in layout.boxes for t in b.texts]
    words += [t for f in layout.frames for t in f.texts]
    words += [t for a in layout.arrows for t in a.texts]
    texts = [(t.text, _text(t)) for t in words]
    return out + [name for name, rect in boxes + frames + texts if not _within(rect, page)]


def crossings(layout: Layout) -> list[tuple[str, str]]:
    """Return pairs of arrows whose lines cross."""
    arrows = [(f"{a.arrow.tail}->{a.arrow.head}", a.points) for a in layout.arrows]
    return [
        (name, other)
        for (name, route), (other, second) in combinations(arrows, 2)
        if any(_cross(*p, *q) for p in pairwise(route) for q in pairwise(second))
    ]


def touched(layout: Layout) -> list[tuple[str, str]]:
    """Return arrows that run through a box that they neither leave nor enter."""
    return [
        (f"{a.arrow.tail}->{a.arrow.head}", b.box.id)
        for a in layout.arrows
        for b in layout.boxes
        if b.box.id not in (a.arrow.tail, a.arrow.head)
        and any(_runs_through(p, q, b.area) for p, q in pairwise(a.points))
    ]


def struck(layout: Layout) -> list[tuple[str, str]]:
    """Return words outside boxes that an arrow's line runs through."""
    words = [t for b in layout.boxes for t in b.texts if t.role == "size"]
    words += [t for f in layout.frames for t in f.texts]
    words += [t for a in layout.arrows for t in a.texts]
    return [
        (t.text, f"{a.arrow.tail}->{a.arrow.head}")
        for t in words
        for a in layout.arrows
        if any(_runs_through(p, q, _area(t)) for p, q in pairwise(a.points))
    ]


def bent(layout: Layout) -> list[str]:
    """Return arrows that are not one straight line."""
    return [f"{a.arrow.tail}->{a.arrow.head}" for a in layout.arrows if len(a.points) > 2]


def downwards(layout: Layout) -> list[str]:
    """Return arrows that do not rise from the top of one box to the bottom of another."""
    area = {b.box.id: b.area for b in layout.boxes}
    return [
        f"{a.arrow.tail}->{a.arrow.head}"
        for a in layout.arrows
        if area[a.arrow.tail].y < area[a.arrow.head].bottom
    ]


def _rect(area: Area) -> Rect:
    return area.x, area.y, area.right, area.bottom


def _text(text: Text) -> Rect:
    return text.left, text.y - 0.75 * text.size, text.left + text.width, text.y + 0.22 * text.size


def _area(text: Text) -> Area:
    left, top, right, bottom = _text(text)
    return Area(left, top, right - left, bottom - top)


def _meet(a: Rect, b: Rect) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _within(inner: Rect, outer: Rect) -> bool:
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and inner[2] <= outer[2]
        and inner[3] <= outer[3]
    )


def _side(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    return _side(a, b, c) * _side(a, b, d) < -1e-6 and _side(c, d, a) * _side(c, d, b) < -1e-6


def _runs_through(a: Point, b: Point, area: Area) -> bool:
    """Look at a thousand points of the line: slow, and no relation of the router's arithmetic."""
    low, high = min(a[1], b[1]), max(a[1], b[1])
    return (
        low < area.bottom
        and high > area.y
        and any(
            area.x < a[0] + t * (b[0] - a[0]) < area.right
            and area.y < a[1] + t * (b[1] - a[1]) < area.bottom
            for t in (i / 1000 for i in range(1001))
        )
    )
