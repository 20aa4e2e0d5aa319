"""Which items of each series data flows between: arrows seen at every level of the hierarchy."""

from __future__ import annotations

from dataclasses import dataclass

from viz.diagram.parts import Box, Diagram, Group, Item, Parallel, Series

ABOVE = 1 << 30
"""In a flow: data exits the series at its top."""


@dataclass(frozen=True, slots=True)
class PathStep:
    """One level on the way to a box: item number `index` of a series."""

    series: int
    """Identity of the series object."""
    index: int
    item: Item


Flow = tuple[int, int]
"""(item, item) of one series. A negative tail is a box below the series, each with its own number;
the head may be `ABOVE`. Equal items: from column to column."""


@dataclass(frozen=True, slots=True)
class Flows:
    """The paths of all boxes from the outermost series, and the flows of each series."""

    paths: dict[str, tuple[PathStep, ...]]
    flows: dict[int, dict[Flow, None]]
    below: dict[str, int]
    """Box -> the negative number that it has as a tail in series above it."""

    def meeting(self, tail: str, head: str) -> int:
        """Return at which step of their paths two boxes part: there they are in one series."""
        a, b = self.paths[tail], self.paths[head]
        depth = 0
        # Columns of one parallel item are different series, so their boxes part at that item.
        while a[depth].item is b[depth].item and a[depth + 1].series == b[depth + 1].series:
            depth += 1
        return depth


def find_flows(diagram: Diagram) -> Flows:
    """Return how the arrows of a diagram run through its series."""
    paths = _paths(diagram.content)
    # In reading order, so that it makes no difference to a reader whether a block is open; what
    # comes from farther below is to the right, where its lane is.
    boxes = reversed([box.id for box in diagram.boxes()])
    found = Flows(paths, {}, {name: -1 - i for i, name in enumerate(boxes)})
    for arrow in diagram.arrows:
        tail, head = paths[arrow.tail], paths[arrow.head]
        depth = found.meeting(arrow.tail, arrow.head)
        _add(found, tail[depth].series, (tail[depth].index, head[depth].index))
        for step in tail[depth + 1 :]:
            _add(found, step.series, (step.index, ABOVE))
        for step in head[depth + 1 :]:
            _add(found, step.series, (found.below[arrow.tail], step.index))
    return found


def _add(found: Flows, series: int, flow: Flow) -> None:
    found.flows.setdefault(series, {})[flow] = None


def _paths(content: Series) -> dict[str, tuple[PathStep, ...]]:
    paths: dict[str, tuple[PathStep, ...]] = {}
    stack: list[tuple[Series, tuple[PathStep, ...]]] = [(content, ())]
    while stack:
        series, above = stack.pop()
        for index, item in enumerate(series.items):
            path = (*above, PathStep(id(series), index, item))
            if isinstance(item, Box):
                paths[item.id] = path
            elif isinstance(item, Group):
                stack.append((item.content, path))
            else:
                stack.extend((column, path) for column in item.columns)
    return paths


def is_chain(items: tuple[Item, ...], flows: dict[Flow, None]) -> bool:
    """True when data only flows from each item to the next, or along an empty column."""
    return all(_passes(items, flow) for flow in flows)


def _passes(items: tuple[Item, ...], flow: Flow) -> bool:
    first, last = flow
    between = passed(items, flow)
    return first == last or all(empty_column(item) is not None for item in between)


def passed(items: tuple[Item, ...], flow: Flow) -> tuple[Item, ...]:
    """Return the items that a flow goes past."""
    return items[max(flow[0], -1) + 1 : min(flow[1], len(items))]


def empty_column(item: Item) -> int | None:
    """Return the first column of a parallel item that is only a line, None if there is none."""
    if isinstance(item, Parallel):
        return next((i for i, c in enumerate(item.columns) if not c.items), None)
    return None
