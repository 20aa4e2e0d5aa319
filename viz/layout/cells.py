"""Items -> rectangles with a spine: the position of everything relative to what holds it.

Lengths are points; within a cell x counts from its spine, y upwards from its lower edge.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from viz.diagram.parts import Box, Diagram, Group, Item, Parallel, Series, walk
from viz.layout.flows import Flow, Flows, empty_column, is_chain, passed
from viz.layout.layered import layered
from viz.layout.lift import Column, lifts
from viz.layout.measure import NOTE_LEADING, SIZE_GAP, BoxSize
from viz.layout.placed import Point
from viz.layout.rise import Span, rise
from viz.style.font import font
from viz.style.text import visible
from viz.style.theme import Theme

LANE = 5.0
"""Half the width of an empty column."""
FRAME_PAD = 9.0
CAPTION_CLEAR = 36.0
"""Space between a frame's caption and its way out, so that arrows there can lean over it."""


@dataclass(slots=True)
class Cell:
    """A rectangle around something: from `-left` to `right` of its spine, `height` high."""

    left: float
    right: float
    height: float
    lower: Span = (0.0, 0.0)
    """Between which x lines arrive from below."""
    upper: Span = (0.0, 0.0)
    """Between which x lines exit at the top."""


@dataclass(slots=True)
class SeriesCell(Cell):
    """A series: where its items' spines and lower edges are, and the bends of its flows."""

    places: list[Point] = field(default_factory=list)
    ways: dict[Flow, list[Point]] = field(default_factory=dict)
    gates: dict[int, float] = field(default_factory=dict)
    """Where data from below enters, if not at the spine."""
    firm: set[Flow] = field(default_factory=set)
    """Flows whose bends must stay."""


@dataclass(slots=True)
class ParallelCell(Cell):
    """Columns side by side: where their spines and lower edges are."""

    places: list[Point] = field(default_factory=list)
    columns: list[SeriesCell] = field(default_factory=list)


@dataclass(slots=True)
class GroupCell(Cell):
    """A frame: how far its contents are above its lower edge."""

    content: SeriesCell | None = None
    lift: float = 0.0
    beside: float = 0.0
    """Space at the right of the frame for the size beside it."""


class Cells:
    """Measures a whole diagram, innermost things first."""

    def __init__(
        self,
        diagram: Diagram,
        flows: Flows,
        sizes: dict[str, BoxSize],
        theme: Theme,
        turned: bool = False,
    ) -> None:
        self.flows = flows
        self.sizes = sizes
        self.theme = theme
        self.turned = turned
        self.items: dict[int, Cell] = {}
        self._from_afar = _at_ends(diagram.content, 0)
        self._to_afar = _at_ends(diagram.content, -1)
        # `walk` yields parents first, and a cell needs the cells of its contents.
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
        main = _main_column(item)
        # A fork without a main column is centred between its outermost columns, as the paper's are.
        spine = (places[0] + places[-1]) / 2 if main is None else places[main]
        height = max(column.height for column in columns)
        xs = [x - spine for x in places]
        lower, upper = (
            _union((x + a, x + b) for x, (a, b) in zip(xs, spans, strict=True))
            for spans in ([c.lower for c in columns], [c.upper for c in columns])
        )
        measured = [
            Column(x, c.left, c.right, c.height, tuple(y for _, y in c.places))
            for x, c in zip(xs, columns, strict=True)
        ]
        # At the end of a column the arrows come from another row, whose distance is not known yet.
        below = None if id(item) in self._from_afar else self._rise(lower)
        above = None if id(item) in self._to_afar else self._rise(upper)
        spots = list(zip(xs, lifts(measured, below, above), strict=True))
        return ParallelCell(spine, right - spine, height, lower, upper, spots, columns)

    def _group(self, item: Group) -> GroupCell:
        theme = self.theme
        content = self.series(item.content)
        # What has gates of its own comes in and goes out straight.
        spans = ((0.0, 0.0), (0.0, 0.0)) if content.gates else (content.lower, content.upper)
        fan_in, fan_out = map(self._rise, spans)
        # Lines that fan out inside the frame need their rise between its edge and its first row.
        lift = FRAME_PAD + fan_in
        height = lift + content.height + max(FRAME_PAD, fan_out)
        left, right = content.left + FRAME_PAD, content.right + FRAME_PAD
        beside = 0.0
        if self.turned:
            left += caption_height(item, theme)
            height = max(height, caption_width(item, theme) + FRAME_PAD)
            beside = theme.leading if item.size else 0.0
        else:
            # The caption is left of the spine, at the top, where the arrow out passes it.
            left = max(left, FRAME_PAD / 2 + caption_width(item, theme) + CAPTION_CLEAR)
            height += caption_height(item, theme)
            if item.size:
                beside = SIZE_GAP + font().width(visible(item.size), theme.font_pt)
        lower, upper = (content.lower, content.upper) if content.gates else ((0.0, 0.0), (0.0, 0.0))
        return GroupCell(
            left, right + beside, height, lower, upper, content=content, lift=lift, beside=beside
        )

    def _rise(self, span: Span) -> float:
        """Return the height that lines need to spread over columns; 0 where there is one line."""
        # One line goes straight up and needs no height of its own.
        if span[0] == span[1]:
            return 0.0
        return rise(max(map(abs, span)), self.theme)

    def series(self, series: Series) -> SeriesCell:
        """Return a series as one rectangle."""
        if not series.items:
            return SeriesCell(LANE, LANE, 0.0)
        flows = self.flows.flows.get(id(series), {})
        # Most series are chains: the spine is straight, and rows would have one item each.
        if is_chain(series.items, flows):
            return self._chain(series.items, flows)
        cells = [self.of(item) for item in series.items]
        extents = [(c.left, c.right, c.height) for c in cells]
        plan = layered(extents, [(c.lower, c.upper) for c in cells], flows, self.theme)
        lower, upper = (
            (min(xs, default=0.0), max(xs, default=0.0))
            for xs in (list(plan.gates.values()), plan.exits)
        )
        size = plan.left, plan.right, plan.height
        return SeriesCell(*size, lower, upper, plan.places, plan.ways, plan.gates, plan.firm)

    def _chain(self, items: tuple[Item, ...], flows: dict[Flow, None]) -> SeriesCell:
        cells = [self.of(item) for item in items]
        places: list[Point] = []
        top = 0.0
        for i in range(len(items)):
            if i:
                fans = self._rise(cells[i].lower), self._rise(cells[i - 1].upper)
                top += max(self.theme.row_gap, *fans)
            places.append((0.0, top))
            top += cells[i].height
        left, right = max(c.left for c in cells), max(c.right for c in cells)
        out = SeriesCell(left, right, top, cells[0].lower, cells[-1].upper, places)
        for flow in flows:
            out.ways[flow] = self._lanes(items, places, flow)
        return out

    def _lanes(self, items: tuple[Item, ...], places: list[Point], flow: Flow) -> list[Point]:
        """Return the bends of a flow that passes items along their empty columns."""
        points: list[Point] = []
        first = max(flow[0], -1) + 1
        for index, item in enumerate(passed(items, flow), start=first):
            cell = self.of(item)
            # A shortcut passes an item in the empty column that was reserved for it.
            lane = empty_column(item)
            if lane is not None and isinstance(cell, ParallelCell):
                x, y = cell.places[lane][0] + places[index][0], places[index][1]
                points += [(x, y), (x, y + cell.height)]
        return points


def _at_ends(content: Series, end: int) -> set[int]:
    """Return the items at the first (0) or last (-1) place of a column: others are beside it."""
    columns = [c for item in walk(content) if isinstance(item, Parallel) for c in item.columns]
    return {id(column.items[end]) for column in columns if column.items}


def _main_column(item: Parallel) -> int | None:
    """Return the column in line with what is above and below, if there is one."""
    solid = [i for i, column in enumerate(item.columns) if column.items]
    # Where all but one are lines that pass by, the boxes go straight on.
    return solid[0] if item.spine is None and len(solid) == 1 else item.spine


def _union(spans: Iterable[Span]) -> Span:
    lefts, rights = zip(*spans, strict=True)
    return min(lefts), max(rights)


def caption_width(group: Group, theme: Theme) -> float:
    """Return the width of the words at the top of a frame."""
    widths = [font().width(visible(note), theme.note_pt) for note in group.notes]
    return max([font().width(visible(group.label), theme.font_pt), *widths])


def caption_height(group: Group, theme: Theme) -> float:
    """Return the height of the words at the top of a frame."""
    return theme.leading + NOTE_LEADING * theme.note_pt * len(group.notes)
