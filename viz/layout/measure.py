"""Box -> its lines of text and its extent. Boxes of one frame share a width and a height."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median

from viz.diagram.parts import Box, Diagram, Group, Item, Parallel, Series
from viz.style.font import font
from viz.style.text import lines_of, visible
from viz.style.theme import Theme

LONGEST_LINE = 24.0
"""A label is broken where a line would be wider than this many times the type size."""
SHARED_LINES = 3
SHARED_WIDTH, SHARED_WIDTH_ALONE = 1.6, 3.0
"""A box with more lines, or that much wider than the median, does not enlarge the others.

In one pile the picture is as wide as its widest box anyway, so there more boxes share a width.
"""
NOTE_LEADING = 1.22
"""From line to line of the small type, in its size."""
SIZE_GAP = 5.0
"""Points between a box and the size beside it."""
HEAD_GAP = 6.5
"""A box is at least this many points wide for each arrow into it."""


@dataclass(frozen=True, slots=True)
class BoxSize:
    """The extent of a box, its lines, and the width of the size beside it."""

    lines: tuple[str, ...]
    notes: tuple[str, ...]
    width: float
    height: float
    beside: float = 0.0
    round: bool = False


def measure_boxes(diagram: Diagram, theme: Theme, turned: bool = False) -> dict[str, BoxSize]:
    """Return the extent of every box, by id; `turned`, its width is across the flow, so upright."""
    out: dict[str, BoxSize] = {}
    for boxes, has_columns in _scopes(diagram.content):
        natural = {box.id: _natural(box, theme, has_columns) for box in boxes}
        ratio = SHARED_WIDTH if has_columns else SHARED_WIDTH_ALONE
        out.update(_shared(natural, ratio, theme.leading))
    if turned:
        out = {name: _turned(size, theme) for name, size in out.items()}
    # After the shared width: a box with many arrows must not enlarge the others.
    heads = Counter(arrow.head for arrow in diagram.arrows)
    for name, size in out.items():
        if size.width < HEAD_GAP * heads[name] and not size.round:
            out[name] = replace(size, width=HEAD_GAP * heads[name])
    return out


def _turned(size: BoxSize, theme: Theme) -> BoxSize:
    """Return the extent where data flows to the right: the size beside a box is below it."""
    if size.round:
        return replace(size, beside=theme.leading if size.beside else 0.0)
    along = max(size.width, size.beside - SIZE_GAP)
    beside = theme.leading if size.beside else 0.0
    return replace(size, width=size.height, height=along, beside=beside)


def _scopes(content: Series) -> list[tuple[list[Box], bool]]:
    """Return the boxes of one frame, frame by frame, and whether in columns."""
    out = []
    stack = [content]
    while stack:
        boxes: list[Box] = []
        has_columns = False
        items: list[Item] = list(stack.pop().items)
        while items:
            item = items.pop()
            if isinstance(item, Box):
                boxes.append(item)
            elif isinstance(item, Group):
                stack.append(item.content)
                # As if it were closed: opening a block leaves the boxes around it as they are.
                boxes += [Box(item.id, item.label, item.kind)] if item.id == item.region else []
            else:
                has_columns = has_columns or _is_fork(item)
                items.extend(inner for column in item.columns for inner in column.items)
        out.append((boxes, has_columns))
    return out


def _is_fork(item: Parallel) -> bool:
    return sum(bool(column.items) for column in item.columns) > 1


def _natural(box: Box, theme: Theme, has_columns: bool) -> BoxSize:
    size = theme.font_pt
    lines = lines_of(box.label, size, LONGEST_LINE * size, has_columns)
    notes = tuple(visible(note) for note in box.notes)
    beside = SIZE_GAP + font().width(visible(box.size), size) if box.size else 0.0
    # The paper draws an addition as a circle with a plus sign.
    if box.kind == "add" and len(box.label) == 1 and not notes:
        side = 1.7 * size
        return BoxSize(lines, notes, side, side, beside, round=True)
    width = max(
        [font().width(line, size) for line in lines]
        + [font().width(note, theme.note_pt) for note in notes]
    )
    height = theme.leading * len(lines) + NOTE_LEADING * theme.note_pt * len(notes)
    return BoxSize(lines, notes, width + 2 * theme.pad_x, height + 2 * theme.pad_y, beside)


def _shared(natural: Mapping[str, BoxSize], ratio: float, leading: float) -> dict[str, BoxSize]:
    """Give ordinary boxes one width, and one height but for the numbers that each has to show."""
    plain = [s for s in natural.values() if not s.round and _is_short(s)]
    if not plain:
        return dict(natural)
    # The median and not the mean: one long label must not widen every other box.
    widest = ratio * median(s.width for s in plain)
    width = max(s.width for s in plain if s.width <= widest)
    lines = max(len(s.lines) for s in plain)
    return {name: _enlarged(size, width, lines, leading) for name, size in natural.items()}


def _enlarged(size: BoxSize, width: float, lines: int, leading: float) -> BoxSize:
    if size.round:
        return size
    missing = max(lines - len(size.lines), 0) if _is_short(size) else 0
    height = size.height + missing * leading
    return replace(size, width=max(size.width, width), height=height)


def _is_short(size: BoxSize) -> bool:
    return len(size.lines) <= SHARED_LINES
