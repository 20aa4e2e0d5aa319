"""Cells -> absolute places: outside in, each item in the space that its series reserves for it."""

from __future__ import annotations

from collections.abc import Iterator

from viz.diagram.parts import Group, Item, Parallel, Series
from viz.layout.cells import Cells, GroupCell, ParallelCell, SeriesCell
from viz.layout.placed import Point


class Spots:
    """Absolute places, y upwards: the spine and lower edge of every item, the origin of series."""

    def __init__(self, cells: Cells, content: Series) -> None:
        self.cells = cells
        self.items: dict[int, Point] = {}
        self.series: dict[int, tuple[Point, SeriesCell]] = {}
        stack = [(content, (0.0, 0.0), cells.content)]
        while stack:
            series, origin, cell = stack.pop()
            self.series[id(series)] = origin, cell
            for item, (dx, dy) in zip(series.items, cell.places, strict=True):
                spot = (origin[0] + dx, origin[1] + dy)
                self.items[id(item)] = spot
                stack.extend(self._inner(item, spot))

    def _inner(self, item: Item, spot: Point) -> Iterator[tuple[Series, Point, SeriesCell]]:
        cell = self.cells.of(item)
        if isinstance(item, Parallel) and isinstance(cell, ParallelCell):
            for column, (dx, dy), inner in zip(
                item.columns, cell.places, cell.columns, strict=True
            ):
                yield column, (spot[0] + dx, spot[1] + dy), inner
        elif isinstance(item, Group) and isinstance(cell, GroupCell) and cell.content:
            yield item.content, (spot[0], spot[1] + cell.lift), cell.content

    def bottom(self, item: Item) -> Point:
        """Return the middle of an item's lower edge, on its spine."""
        return self.items[id(item)]

    def top(self, item: Item) -> Point:
        """Return the middle of an item's upper edge, on its spine."""
        x, y = self.items[id(item)]
        return x, y + self.cells.of(item).height
