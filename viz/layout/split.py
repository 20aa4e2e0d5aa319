"""A long picture -> several columns side by side, or lines one below the other.

The picture is cut where nothing but lines that follow the flow are in the way; each of them goes on
around the column that it leaves, to where the next one begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from viz.layout.placed import Area, Layout, PlacedArrow, Point, Text

TRACK = 5.0
"""Points between two lines that go to the next column."""
CLEAR = 8.0
"""Points between such a line and what is in a column."""
NARROW = 4.0
"""Gaps with less room are not cut in."""


def split(layout: Layout, count: int, turned: bool = False) -> Layout:
    """Return a picture without words below it in at most `count` columns.

    Args:
        layout: the picture in one column.
        count: how many columns to aim at; fewer where it cannot be cut so often.
        turned: data flows to the right, so that the columns are lines.
    """
    axes = _Axes(layout, turned)
    cuts = _cuts(_gaps(axes), axes.length, count)
    return _Splitting(axes, cuts).layout() if cuts else layout


@dataclass(frozen=True, slots=True)
class _Axes:
    """A picture along the flow (`m`, from where data enters) and across it (`c`)."""

    layout: Layout
    turned: bool

    @property
    def length(self) -> float:
        return self.layout.width if self.turned else self.layout.height

    def along(self, area: Area) -> tuple[float, float]:
        """Return where an area begins and ends along the flow."""
        if self.turned:
            return area.x, area.right
        return self.length - area.bottom, self.length - area.y

    def across(self, area: Area) -> tuple[float, float]:
        """Return where an area begins and ends across the flow."""
        return (area.y, area.bottom) if self.turned else (area.x, area.right)

    def point(self, point: Point) -> Point:
        """Return a point as (m, c)."""
        return point if self.turned else (self.length - point[1], point[0])

    def things(self) -> Iterator[Area]:
        """Yield all that has an extent: frames, boxes and words."""
        layout = self.layout
        yield from (frame.area for frame in layout.frames)
        yield from (box.area for box in layout.boxes)
        texts = [frame.texts for frame in layout.frames] + [box.texts for box in layout.boxes]
        texts += [arrow.texts for arrow in layout.arrows]
        yield from (extent(text) for lines in texts for text in lines)


def extent(text: Text) -> Area:
    """Return the rectangle of a line of text."""
    return Area(text.left, text.y - 0.75 * text.size, text.width, 0.97 * text.size)


def _gaps(axes: _Axes) -> list[float]:
    """Return where along the flow the picture can be cut, one place for each gap."""
    solid = [axes.along(area) for area in axes.things()]
    for arrow in axes.layout.arrows:
        for a, b in pairwise(map(axes.point, arrow.points)):
            if abs(a[1] - b[1]) > 1e-6:
                solid.append((min(a[0], b[0]), max(a[0], b[0])))
    cuts, reached = [], min((low for low, _ in solid), default=0.0)
    for low, high in sorted(solid):
        if low - reached >= NARROW:
            # A line that has just left a box is cut, and no arrowhead: nearer to what is below.
            cuts.append(reached + 0.4 * (low - reached))
        reached = max(reached, high)
    return cuts


def _cuts(gaps: Sequence[float], length: float, count: int) -> list[float]:
    """Return the gaps that make the longest of `count` parts as short as can be."""
    low, high = length / count, length
    best: list[float] = []
    # The bound is met to a point; the fewest cuts for it are found by going as far as it allows.
    while high - low > 1:
        most = (low + high) / 2
        found = _within(gaps, length, most)
        if found is not None and len(found) < count:
            best, high = found, most
        else:
            low = most
    return best


def _within(gaps: Sequence[float], length: float, most: float) -> list[float] | None:
    """Return cuts after which no part is longer than `most`, None if there are none."""
    cuts, start = [], 0.0
    for here, after in pairwise([*gaps, length]):
        if after - start > most:
            if here == start or here - start > most:
                return None
            cuts.append(here)
            start = here
    return cuts if length - start <= most else None


@dataclass(frozen=True, slots=True)
class _Part:
    """One column: what is between two cuts, and how far it is moved."""

    low: float
    high: float
    across: tuple[float, float]
    base: float
    """Where along the flow it begins now."""
    left: float
    """Where across the flow it begins now."""
    entering: tuple[float, ...]
    """At which c lines come in from the column before."""

    def moved(self, m: float, c: float) -> Point:
        """Return where a point of it is now, as (m, c)."""
        return m - self.low + self.base, c - self.across[0] + self.left


@dataclass
class _Splitting:
    """Moves all that is drawn into columns."""

    axes: _Axes
    cuts: list[float]
    parts: list[_Part] = field(init=False)
    size: tuple[float, float] = field(init=False)
    """Of the new picture, along the flow and across it."""

    def layout(self) -> Layout:
        """Return the picture in columns."""
        layout = self.axes.layout
        margin = min(self.axes.along(area)[0] for area in self.axes.things())
        self.parts = self._parts(margin)
        ends = [part.moved(part.high, part.across[1]) for part in self.parts]
        leaving = [*(len(part.entering) for part in self.parts[1:]), 0]
        length = max(m + _room(n) for (m, _), n in zip(ends, leaving, strict=True)) + margin
        self.size = length, ends[-1][1] + margin
        width, height = self.size if self.axes.turned else self.size[::-1]
        return replace(
            layout,
            width=width,
            height=height,
            frames=tuple(
                replace(f, area=self._area(f.area), texts=self._texts(f.area, f.texts))
                for f in layout.frames
            ),
            boxes=tuple(
                replace(b, area=self._area(b.area), texts=self._texts(b.area, b.texts))
                for b in layout.boxes
            ),
            arrows=tuple(map(self._arrow, layout.arrows)),
        )

    def _parts(self, margin: float) -> list[_Part]:
        bounds = [0.0, *self.cuts, self.axes.length]
        parts: list[_Part] = []
        left = margin
        for low, high in pairwise(bounds):
            entering = self._crossing(low) if low else ()
            across = self._across(low, high)
            left += CLEAR + _room(len(entering)) if parts else 0.0
            base = margin + _room(len(entering)) if parts else 0.0
            parts.append(_Part(low, high, across, base, left, entering))
            left += across[1] - across[0]
        # The lowest boxes of all columns are on one level.
        lowest = [self._lowest(part) - part.low for part in parts]
        level = max(part.base + m for part, m in zip(parts, lowest, strict=True))
        return [replace(part, base=level - m) for part, m in zip(parts, lowest, strict=True)]

    def _lowest(self, part: _Part) -> float:
        """Return where along the flow the first thing of a column begins."""
        starts = (self.axes.along(area)[0] for area in self.axes.things())
        return min(start for start in starts if start >= part.low)

    def _crossing(self, cut: float) -> tuple[float, ...]:
        """Return at which c lines cross a cut; those of one lane once."""
        found = {
            round(a[1], 3)
            for arrow in self.axes.layout.arrows
            for a, b in pairwise(map(self.axes.point, arrow.points))
            if a[0] < cut <= b[0]
        }
        return tuple(sorted(found))

    def _across(self, low: float, high: float) -> tuple[float, float]:
        """Return how far a column reaches across the flow."""
        axes = self.axes
        reach: list[float] = []
        for area in axes.things():
            if low <= axes.along(area)[0] < high:
                reach += axes.across(area)
        for arrow in axes.layout.arrows:
            for a, b in pairwise(map(axes.point, arrow.points)):
                if a[0] < high and b[0] > low:
                    reach += (a[1], b[1])
        return min(reach), max(reach)

    def _part(self, m: float) -> int:
        return sum(cut <= m for cut in self.cuts)

    def _placed(self, point: Point) -> Point:
        """Return a point (m, c) as (x, y) of the new picture."""
        m, c = point
        return (m, c) if self.axes.turned else (c, self.size[0] - m)

    def _shift(self, area: Area) -> tuple[float, float]:
        """Return how far what begins with an area moves."""
        m, c = self.axes.along(area)[0], self.axes.across(area)[0]
        before = (m, c) if self.axes.turned else (c, self.axes.length - m)
        after = self._placed(self.parts[self._part(m)].moved(m, c))
        return after[0] - before[0], after[1] - before[1]

    def _area(self, area: Area) -> Area:
        dx, dy = self._shift(area)
        return replace(area, x=area.x + dx, y=area.y + dy)

    def _texts(self, area: Area, texts: Iterable[Text]) -> tuple[Text, ...]:
        dx, dy = self._shift(area)
        return tuple(replace(text, x=text.x + dx, y=text.y + dy) for text in texts)

    def _arrow(self, placed: PlacedArrow) -> PlacedArrow:
        texts = [line for text in placed.texts for line in self._texts(extent(text), [text])]
        before = [self.axes.point(point) for point in placed.points]
        points = [self.parts[self._part(before[0][0])].moved(*before[0])]
        for a, b in pairwise(before):
            for number in range(self._part(a[0]) + 1, self._part(b[0]) + 1):
                points += self._around(number, a[1])
            points.append(self.parts[self._part(b[0])].moved(*b))
        return replace(placed, points=tuple(map(self._placed, points)), texts=tuple(texts))

    def _around(self, number: int, c: float) -> Iterator[Point]:
        """Yield the bends of a line from the end of one column to the start of the next."""
        before, after = self.parts[number - 1], self.parts[number]
        # What is farthest on the way turns first and is innermost, so that no two lines cross.
        rank = len(after.entering) - 1 - after.entering.index(round(c, 3))
        top, x = before.moved(before.high, c)
        channel = after.left - _room(len(after.entering)) + TRACK * rank
        bottom = after.base - _room(len(after.entering)) + TRACK * rank
        yield top + TRACK * rank, x
        yield top + TRACK * rank, channel
        yield bottom, channel
        yield bottom, after.moved(after.low, c)[1]


def _room(lines: int) -> float:
    """Return how much room so many lines need beside each other, and before what follows."""
    return CLEAR + TRACK * (lines - 1) if lines else 0.0
