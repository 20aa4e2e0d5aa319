"""Turns columns that data flows between back into single boxes, for the general layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from viz.diagram.parts import Arrow, Box, Group, Item, Parallel, Series


def dissolve_crossed(content: Series, arrows: Sequence[Arrow]) -> Series:
    """Return the picture without the columns that an arrow crosses from one to another.

    A branch that reads a layer of its neighbour cannot be in a column of its own; its
    boxes become items of the enclosing series, which may be joined in any way.
    """
    columns = _columns(content)
    crossed: set[int] = set()
    for arrow in arrows:
        tail, head = columns[arrow.tail], columns[arrow.head]
        crossed.update(p for p, column in tail.items() if head.get(p, column) != column)
    return _without(content, crossed) if crossed else content


def _columns(content: Series) -> dict[str, dict[int, int]]:
    """Return for each box in which column of which parallel items it is."""
    out: dict[str, dict[int, int]] = {}
    stack: list[tuple[Series, dict[int, int]]] = [(content, {})]
    while stack:
        series, above = stack.pop()
        for item in series.items:
            if isinstance(item, Box):
                out[item.id] = above
            elif isinstance(item, Group):
                stack.append((item.content, above))
            else:
                stack.extend((c, {**above, id(item): i}) for i, c in enumerate(item.columns))
    return out


def _without(series: Series, crossed: set[int]) -> Series:
    items: list[Item] = []
    for item in series.items:
        if isinstance(item, Group):
            items.append(replace(item, content=_without(item.content, crossed)))
        elif isinstance(item, Parallel):
            columns = [_without(column, crossed) for column in item.columns]
            if id(item) in crossed:
                items.extend(inner for column in columns for inner in column.items)
            else:
                items.append(replace(item, columns=tuple(columns)))
        else:
            items.append(item)
    return Series(tuple(items))
