"""Items -> rectangles with a spine: where everything stands relative to what holds it.

Lengths are points; within a cell x counts from its spine, y upwards from its lower edge.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from viz.diagram.parts import Box, Diagram, Group, Item, Parallel, Series, walk
from viz.layout.flows import Flow, Flows, empty_column, is_chain
from viz.layout.layered import layered
from viz.layout.measure import SIZE_GAP, BoxSize
from viz.layout.placed import Point
from viz.style.font import font
from viz.style.text import visible
from viz.style.theme import Theme

LANE = 5.0
"""Half the width of an empty column."""
FRAME_PAD = 9.0
FAN_SLOPE, FAN_LIMIT = 0.22, 2.6
"""Lines that spread over columns rise by this part of their reach, up to so many row gaps."""


@dataclass(slots=True)
class Cell:
    """A rectangle around something: from `-left` to `right` of its spine, `height` high."""

    left: float
    right: float
    height: float


@dataclass(slots=True)
class SeriesCell(Cell):
    """A series: where its items' spines and lower edges are, and the bends of its flows."""

    places: list[Point] = field(default_factory=list)
    ways: dict[Flow, list[Point]] = field(default_factory=dict)


@dataclass(slots=True)
class ParallelCell(Cell):
    """Columns side by side: where their spines are."""

    places: list[float] = field(default_factory=list)
    columns: list[SeriesCell] = field(default_factory=list)


@dataclass(slots=True)
class GroupCell(Cell):
    """A frame: how far its contents stand above its lower edge."""

    content: SeriesCell | None = None
    lift: float = 0.0
    beside: float = 0.0
    """Room at the right that the frame itself leaves to the size beside it."""


class Cells:
    """Measures a whole diagram, innermost things first."""

    def __init__(
        self, diagram: Diagram, flows: Flows, sizes: dict[str, BoxSize], theme: Theme
    ) -> None:
        self.flows = flows
        self.sizes = sizes
        self.theme = theme
        self.items: dict[int, Cell] = {}
        for item in reversed(list(walk(diagram.content))):
            self.items[id(item)] = self._item(item)
        self.content = self.series(diagram.content)

    def of(self, item: Item) -> Cell:
        """Return the measured cell of an item."""
        return self.items[id(item)]

    def _item(self, item: Item) -> Cell:
        if isinstance(item, Box):
            size = self.sizes[item.id]
            return Cell(size.width / 2, size.width / 2 + size.beside, size.height)
        if isinstance(item, Parallel):
            return self._parallel(item)
        return self._group(item)

    def _parallel(self, item: Parallel) -> ParallelCell:
        columns = [self.series(column) for column in item.columns]
        places: list[float] = []
        right = 0.0
        for column in columns:
            places.append(right + (self.theme.column_gap if places else 0.0) + column.left)
            right = places[-1] + column.right
        spine = (places[0] + places[-1]) / 2 if item.spine is None else places[item.spine]
        height = max(column.height for column in columns)
        return ParallelCell(spine, right - spine, height, [x - spine for x in places], columns)

    def _group(self, item: Group) -> GroupCell:
        theme = self.theme
        content = self.series(item.content)
        fan_in = self._fan(item.content.items[:1])
        fan_out = self._fan(item.content.items[-1:])
        caption = caption_width(item.label, theme)
        lift = FRAME_PAD + fan_in
        height = lift + content.height + max(FRAME_PAD, fan_out) + theme.leading
        left, right = content.left + FRAME_PAD, content.right + FRAME_PAD
        left = max(left, caption + 2 * FRAME_PAD)
        beside = SIZE_GAP + font().width(visible(item.size), theme.font_pt) if item.size else 0.0
        return GroupCell(left, right + beside, height, content, lift, beside)

    def _fan(self, items: tuple[Item, ...]) -> float:
        """Return the room that lines need to spread over the columns of an item."""
        return max((self._spread(i) for i in items if isinstance(i, Parallel)), default=0.0)

    def _spread(self, item: Parallel) -> float:
        cell = self.of(item)
        if not isinstance(cell, ParallelCell) or len(cell.places) < 2:
            return 0.0
        reach = max(abs(x) for x in cell.places)
        return min(max(self.theme.row_gap, FAN_SLOPE * reach), FAN_LIMIT * self.theme.row_gap)

    def series(self, series: Series) -> SeriesCell:
        """Return a series as one rectangle."""
        if not series.items:
            return SeriesCell(LANE, LANE, 0.0)
        flows = self.flows.flows.get(id(series), {})
        if is_chain(series.items, flows):
            return self._chain(series.items, flows)
        cells = [self.of(item) for item in series.items]
        plan = layered([(c.left, c.right, c.height) for c in cells], flows, self.theme)
        return SeriesCell(plan.left, plan.right, plan.height, plan.places, plan.ways)

    def _chain(self, items: tuple[Item, ...], flows: dict[Flow, None]) -> SeriesCell:
        cells = [self.of(item) for item in items]
        places: list[Point] = []
        top = 0.0
        for i, item in enumerate(items):
            if i:
                top += max(self.theme.row_gap, self._fan((item,)), self._fan((items[i - 1],)))
            places.append((0.0, top))
            top += cells[i].height
        out = SeriesCell(max(c.left for c in cells), max(c.right for c in cells), top, places)
        for flow in flows:
            out.ways[flow] = self._lanes(items, places, flow)
        return out

    def _lanes(self, items: tuple[Item, ...], places: list[Point], flow: Flow) -> list[Point]:
        """Return the bends of a flow that passes items along their empty columns."""
        points: list[Point] = []
        for index in range(flow[0] + 1, min(flow[1], len(items))):
            item, cell = items[index], self.of(items[index])
            lane = empty_column(item)
            if lane is not None and isinstance(cell, ParallelCell):
                x, y = cell.places[lane] + places[index][0], places[index][1]
                points += [(x, y), (x, y + cell.height)]
        return points


def caption_width(words: str, theme: Theme) -> float:
    """Return the width of the words over a frame."""
    return font().width(visible(words), theme.font_pt)
