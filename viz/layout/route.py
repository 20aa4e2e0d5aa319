"""Arrows -> points: up through gaps and lanes, then as straight as the boxes allow."""

from __future__ import annotations

from viz.diagram.parts import Arrow, Diagram, Group
from viz.layout.cells import FRAME_PAD, caption_height, caption_width
from viz.layout.flows import ABOVE, BELOW, Flows, PathStep
from viz.layout.measure import BoxSize
from viz.layout.placed import Point
from viz.layout.ports import spread_heads
from viz.layout.spots import Spots
from viz.layout.straighten import Rect, straighten
from viz.style.theme import Theme


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
        rough = [self._rough(arrow) for arrow in self.diagram.arrows]
        routes = straighten(rough, self.obstacles())
        widths = {name: size.width for name, size in self.sizes.items()}
        circles = {name for name, size in self.sizes.items() if size.round}
        spread_heads(self.diagram.arrows, routes, widths, circles)
        return routes

    def _rough(self, arrow: Arrow) -> list[Point]:
        """Return a way that touches no box: out of what holds the tail, across, and in again."""
        tail, head = self.flows.paths[arrow.tail], self.flows.paths[arrow.head]
        depth = self.flows.meeting(arrow.tail, arrow.head)
        # Up to the series that holds both boxes, across in it, then from the head backwards.
        points = [self.spots.top(tail[-1].item)]
        for step in reversed(tail[depth + 1 :]):
            points += self._ways(step, (step.index, ABOVE))
            points.append(self._way_out(tail, step, points[-1]))
        points += self._ways(tail[depth], (tail[depth].index, head[depth].index))
        ways_in: list[Point] = [self.spots.bottom(head[-1].item)]
        for step in reversed(head[depth + 1 :]):
            ways_in += reversed(self._ways(step, (BELOW, step.index)))
            ways_in.append(self._way_in(head, step, ways_in[-1]))
        return _distinct([*points, *reversed(ways_in)])

    def _ways(self, step: PathStep, flow: tuple[int, int]) -> list[Point]:
        (x, y), cell = self.spots.series[step.series]
        return [(x + dx, y + dy) for dx, dy in cell.ways.get(flow, [])]

    def _way_out(self, path: tuple[PathStep, ...], step: PathStep, last: Point) -> Point:
        """Return where an arrow exits the item that holds the series of `step`: straight up."""
        return last[0], self.spots.top(path[path.index(step) - 1].item)[1]

    def _way_in(self, path: tuple[PathStep, ...], step: PathStep, first: Point) -> Point:
        """Return where an arrow enters it: a frame in the middle, a column right below."""
        holder = path[path.index(step) - 1].item
        x, y = self.spots.bottom(holder)
        return (x, y) if isinstance(holder, Group) else (first[0], y)

    def obstacles(self) -> list[Rect]:
        """Return what no arrow may touch, as (left, bottom, right, top): boxes and their sizes."""
        out = []
        for box in self.diagram.boxes():
            x, y = self.spots.bottom(box)
            size = self.sizes[box.id]
            half = size.width / 2
            # The size beside a box counts: a line through digits makes them unreadable.
            out.append((x - half, y, x + half + size.beside, y + size.height))
        for group in self.diagram.groups():
            cell = self.spots.cells.of(group)
            x, top = self.spots.top(group)
            right = x - cell.left + FRAME_PAD + caption_width(group, self.theme)
            out.append((x - cell.left, top - caption_height(group, self.theme), right, top))
        return out


def _distinct(points: list[Point]) -> list[Point]:
    """Drop a point that repeats the one before it."""
    out = points[:1]
    for point in points[1:]:
        if abs(point[0] - out[-1][0]) > 1e-6 or abs(point[1] - out[-1][1]) > 1e-6:
            out.append(point)
    return out
