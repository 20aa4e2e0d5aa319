"""Arrows -> points: up through gaps and lanes, then as straight as the boxes allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from viz.diagram.parts import Arrow, Diagram, Group, Item
from viz.layout.cells import FRAME_PAD, SeriesCell, caption_height, caption_width
from viz.layout.flows import ABOVE, Flow, Flows, PathStep
from viz.layout.measure import BoxSize
from viz.layout.placed import Point
from viz.layout.ports import spread_heads
from viz.layout.spots import Spots
from viz.layout.straighten import Rect, is_straight, straighten
from viz.layout.tracks import FROM_TAIL, TO_HEAD, resolve
from viz.style.theme import Theme


@dataclass(frozen=True, slots=True)
class _Leg:
    """A part of an arrow."""

    points: list[Point]
    is_firm: bool
    """Its bends must stay."""


class Router:
    """Finds the way of each arrow from the bends that the series on its way have laid down."""

    def __init__(
        self, diagram: Diagram, flows: Flows, spots: Spots, sizes: dict[str, BoxSize], theme: Theme
    ) -> None:
        self.diagram = diagram
        self.flows = flows
        self.spots = spots
        self.sizes = sizes
        self.theme = theme

    def routes(self) -> list[list[Point]]:
        """Return the points of every arrow, in the order of the diagram's arrows, y upwards."""
        legs = [self._legs(arrow) for arrow in self.diagram.arrows]
        flat = [leg for each in legs for leg in each]
        loose = [i for i, leg in enumerate(flat) if not leg.is_firm]
        straight = iter(straighten([leg.points for leg in flat], loose, self.obstacles()))
        routes = [_distinct([p for _ in each for p in next(straight)]) for each in legs]
        widths = {name: size.width for name, size in self.sizes.items()}
        circles = {name for name, size in self.sizes.items() if size.round}
        spread_heads(self.diagram.arrows, routes, widths, circles)
        return routes

    def _steps(self, arrow: Arrow) -> Iterator[tuple[PathStep, Flow, Item | None]]:
        """Yield the series on the way of an arrow, its flow there, and the item that it enters.

        Up to the series that holds both boxes, across in it, then down to the head.
        """
        tail, head = self.flows.paths[arrow.tail], self.flows.paths[arrow.head]
        depth = self.flows.meeting(arrow.tail, arrow.head)
        for level in range(len(tail) - 1, depth, -1):
            yield tail[level], (tail[level].index, ABOVE), tail[level - 1].item
        yield tail[depth], (tail[depth].index, head[depth].index), None
        for level in range(depth + 1, len(head)):
            flow = self.flows.below[arrow.tail], head[level].index
            yield head[level], flow, head[level - 1].item

    def _legs(self, arrow: Arrow) -> list[_Leg]:
        """Return a way that touches no box: out of what holds the tail, across, and in again.

        It is in legs from frame to frame: a frame is entered and left at its gates, so that what
        is inside looks the same wherever it is.
        """
        points = [self.spots.top(self.flows.paths[arrow.tail][-1].item)]
        starts, firm = [0], [False]
        for step, flow, holder in self._steps(arrow):
            if holder is not None and flow[0] < 0:
                points.append(self._way_in(holder, step, flow[0]))
                if isinstance(holder, Group):
                    starts.append(len(points) - 1)
                    firm.append(False)
            points += self._ways(step, flow)
            firm[-1] |= flow in self._cell(step).firm
            if holder is not None and flow[1] == ABOVE:
                points.append((FROM_TAIL, self.spots.top(holder)[1]))
                if isinstance(holder, Group):
                    starts.append(len(points) - 1)
                    firm.append(False)
        points = resolve([*points, self.spots.bottom(self.flows.paths[arrow.head][-1].item)])
        ends = [*starts[1:], len(points) - 1]
        return [
            _Leg(_distinct(points[start : end + 1]), is_firm)
            for start, end, is_firm in zip(starts, ends, firm, strict=True)
        ]

    def _cell(self, step: PathStep) -> SeriesCell:
        return self.spots.series[step.series][1]

    def _ways(self, step: PathStep, flow: tuple[int, int]) -> list[Point]:
        (x, y), cell = self.spots.series[step.series]
        return [(x + dx, y + dy) for dx, dy in cell.ways.get(flow, [])]

    def _way_in(self, holder: Item, step: PathStep, below: int) -> Point:
        """Return where an arrow enters an item: a frame at a gate, a column right below."""
        y = self.spots.bottom(holder)[1]
        (x, _), cell = self.spots.series[step.series]
        if below in cell.gates:
            return x + cell.gates[below], y
        return (x, y) if isinstance(holder, Group) else (TO_HEAD, y)

    def obstacles(self) -> list[Rect]:
        """Return what no arrow may touch, as (left, bottom, right, top): boxes and their sizes."""
        out = []
        for box in self.diagram.boxes():
            x, y = self.spots.bottom(box)
            size = self.sizes[box.id]
            half = size.width / 2
            # The size beside a box counts: a line through digits makes them unreadable.
            out.append((x - half, y, x + half + size.beside, y + size.height))
        out += [self._caption(group) for group in self.diagram.groups()]
        return out

    def _caption(self, group: Group) -> Rect:
        """Return where the words of a frame are."""
        cells = self.spots.cells
        cell = cells.of(group)
        (x, bottom), (_, top) = self.spots.bottom(group), self.spots.top(group)
        width = FRAME_PAD + caption_width(group, self.theme)
        height = caption_height(group, self.theme)
        left = x - cell.left
        if cells.turned:
            return left, bottom, left + height, bottom + width
        return left, top - height, left + width, top


def _distinct(points: list[Point]) -> list[Point]:
    """Drop points that repeat the one before them, and those within a straight piece."""
    out = points[:1]
    for point in points[1:]:
        if abs(point[0] - out[-1][0]) <= 1e-6 and abs(point[1] - out[-1][1]) <= 1e-6:
            continue
        if len(out) > 1 and is_straight(out[-2], out[-1], point):
            out.pop()
        out.append(point)
    return out
