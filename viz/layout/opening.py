"""Two layouts of one picture, a block closed and open -> what opening it changes: a viewer's data.

A frame is entered and left at its gates, so what is inside it does not depend on what is outside.
Where the block is on the spine, all that is above it rises, the frames around it grow, and lanes
beside it move outwards: of several open blocks the one that moves them farthest counts.

Here x counts from the spine to the right, y from the lower edge of the picture upwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from viz.layout.placed import Area, Layout, PlacedArrow, Point
from viz.layout.straighten import Rect

EPS = 1e-3
"""Points that two places may differ by and still be one."""
Ends = tuple[str, str]
"""The boxes that a leg comes from and leads to: ids, of what is in an open block the block's."""


@dataclass(frozen=True, slots=True)
class Leg:
    """The part of an arrow that is in a scope: inside its frame, outside the open block in it."""

    points: tuple[Point, ...]
    arrow: PlacedArrow
    words: tuple[Point, str] | None = None
    """What is written beside the arrow, and where its middle and baseline are."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A layout in which some blocks are open, each in the one before it: its `chain`."""

    layout: Layout
    chain: tuple[str, ...]

    @property
    def boxes(self) -> dict[str, Rect]:
        """Where the boxes are, by id."""
        return {placed.box.id: self._rect(placed.area) for placed in self.layout.boxes}

    @property
    def frames(self) -> dict[str, Rect]:
        """Where the frames are, by the ids of their blocks."""
        return {placed.group.id: self._rect(placed.area) for placed in self.layout.frames}

    def frame(self, name: str) -> Rect:
        """Return where the frame of a block is; of the network, "", where the picture is."""
        if name:
            return self.frames[name]
        return self._rect(Area(0.0, 0.0, self.layout.width, self.layout.height))

    def reach(self, scope: str) -> tuple[float, float]:
        """Return how far a frame reaches left and right of the spine; of "", the picture."""
        left, _, right, _ = self.frame(scope)
        return -left, right

    def _rect(self, area: Area) -> Rect:
        x, y = self._point((area.x, area.bottom))
        return x, y, x + area.width, y + area.height

    def _point(self, point: Point) -> Point:
        return point[0] - self.layout.spine, self.layout.height - point[1]

    def legs(self, scope: str) -> dict[Ends, Leg] | None:
        """Return the legs in a scope; None where two of them between the same ends differ there."""
        child = self._child(scope)
        out: dict[Ends, Leg] = {}
        for placed in self.layout.arrows:
            tail, head = (
                child if child is not None and is_in(end, child) else end
                for end in (placed.arrow.tail, placed.arrow.head)
            )
            if tail == head or not (is_in(tail, scope) or is_in(head, scope)):
                continue
            texts = [(self._point((text.x, text.y)), text.text) for text in placed.texts]
            leg = Leg(self._cut(placed, scope, child), placed, *texts)
            known = out.setdefault((tail, head), leg)
            if not _are_same(known.points, leg.points):
                return None
        return out

    def _child(self, scope: str) -> str | None:
        """Return the block that is open in a scope."""
        after = self.chain.index(scope) + 1 if scope else 0
        return self.chain[after] if after < len(self.chain) else None

    def _cut(self, placed: PlacedArrow, scope: str, child: str | None) -> tuple[Point, ...]:
        """Return the part of an arrow's way that is in a scope and outside a block in it."""
        points = [self._point(point) for point in placed.points]
        frames = self.frames
        tail, head = placed.arrow.tail, placed.arrow.head
        if is_in(tail, child):
            points = _split(points, frames[child or ""][3])[1]
        elif not is_in(tail, scope):
            points = _split(points, frames[scope][1])[1]
        if is_in(head, child):
            points = _split(points, frames[child or ""][1])[0]
        elif not is_in(head, scope):
            points = _split(points, frames[scope][3])[0]
        return tuple(points)


def is_in(name: str, block: str | None) -> bool:
    """Return whether a box or frame is inside a block; all are in the network, ""."""
    return block is not None and (not block or name.startswith(f"{block}."))


def _split(points: list[Point], edge: float) -> tuple[list[Point], list[Point]]:
    """Return the parts of a way that are below and above the edge of a frame."""
    for i, (x, y) in enumerate(points):
        if abs(y - edge) <= EPS:
            return points[: i + 1], points[i:]
        if y > edge:
            px, py = points[i - 1]
            gate = (px + (x - px) * (edge - py) / (y - py), edge)
            return [*points[:i], gate], [gate, *points[i:]]
    return points, points[-1:]


@dataclass(frozen=True, slots=True)
class Rise:
    """How a block that is opened lifts what is above it."""

    top: float
    """Its upper edge when it is closed."""
    rise: float
    """By how much what is above that rises."""
    lift: float
    """How much higher than the box the frame begins: lines that fan out to its gates need room."""

    def of(self, y: float) -> float:
        """Return where something is that was at `y`."""
        return y + self.rise if y >= self.top - EPS else y


def find_rise(closed: Scene, opened: Scene) -> Rise | None:
    """Return by how much all that is above a block rises when it is opened.

    Args:
        closed: the picture with the block as a box.
        opened: the same picture with the block as a frame, the last of its chain.

    Returns:
        None where the block is not on the spine, or things move in other ways too.
    """
    name = opened.chain[-1]
    box, now = closed.boxes[name], opened.boxes | opened.frames
    found = Rise(box[3], now[name][3] - box[3], now[name][1] - box[1])
    if abs(box[0] + box[2]) > EPS:
        return None
    for other, (x0, y0, x1, y1) in (closed.boxes | closed.frames).items():
        left, low, right, high = now[other]
        if is_in(name, other):
            # A frame around the block grows.
            same = _are_same([(y0, y1 + found.rise)], [(low, high)])
        else:
            moved = [(x0, found.of(y0)), (x1, y1 + found.of(y0) - y0)]
            same = _are_same(moved, [(left, low), (right, high)])
        if not same and other != name:
            return None
    return found


def find_moves(
    closed: Mapping[Ends, Leg] | None, opened: Mapping[Ends, Leg] | None, rise: Rise
) -> dict[Ends, tuple[Point, ...]] | None:
    """Return the legs that an open block does not only lift, with how their points are moved.

    A point is moved to an x, and farther up than by the rise; that by no more than the lift.

    Args:
        closed: the legs of a scope with the block closed.
        opened: those with the block open.
        rise: what the opening does.

    Returns:
        None where legs change in other ways too.
    """
    if closed is None or opened is None or closed.keys() != opened.keys():
        return None
    out: dict[Ends, tuple[Point, ...]] = {}
    for ends, leg in closed.items():
        before, after = leg.points, opened[ends].points
        if len(before) != len(after):
            return None
        pairs = list(zip(before, after, strict=True))
        moved = tuple((x1, y1 - rise.of(y0)) for (_, y0), (x1, y1) in pairs)
        if any(not -EPS <= extra <= rise.lift + EPS for _, extra in moved):
            return None
        if not _are_same([(x, 0.0) for x, _ in before], moved):
            out[ends] = moved
    return out


def _are_same(some: Sequence[Point], others: Sequence[Point]) -> bool:
    return len(some) == len(others) and all(
        abs(a - c) <= EPS and abs(b - d) <= EPS for (a, b), (c, d) in zip(some, others, strict=True)
    )
