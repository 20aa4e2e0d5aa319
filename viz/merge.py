"""Moves what is not drawn on its own into the box of the layer that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from compiler.graph import Graph
from viz.diagram import Box, Group, Item, Parallel, Series, walk


def merge_hidden(graph: Graph, content: Series, hidden: set[str]) -> Series:
    """Return the picture without the boxes in `hidden`; their operations stay in it.

    A hidden box that no box or several boxes read is drawn after all: it could not be in
    exactly one of them.
    """
    boxes = {item.id: item for item in walk(content) if isinstance(item, Box)}
    owner = {name: box.id for box in boxes.values() for name in box.members}
    host: dict[str, str] = {}
    for box_id in reversed(boxes):
        if box_id in hidden:
            readers = _readers(graph, boxes[box_id], owner)
            if len(readers) == 1:
                reader = readers.pop()
                host[box_id] = host.get(reader, reader)
    guests: dict[str, list[str]] = {}
    for box_id in boxes:
        if box_id in host:
            guests.setdefault(host[box_id], []).extend(boxes[box_id].members)
    return _rebuilt(content, host, guests)


def _readers(graph: Graph, box: Box, owner: Mapping[str, str]) -> set[str]:
    readers = {owner.get(c, "") for name in box.members for c in graph.consumers[name]}
    return readers - {box.id}


def _rebuilt(
    content: Series, host: Mapping[str, str], guests: Mapping[str, list[str]]
) -> Series:
    items: list[Item] = []
    for item in content.items:
        if isinstance(item, Group):
            items.append(replace(item, content=_rebuilt(item.content, host, guests)))
        elif isinstance(item, Parallel):
            columns = tuple(_rebuilt(c, host, guests) for c in item.columns)
            items.append(replace(item, columns=columns))
        elif item.id in guests:
            items.append(replace(item, members=(*guests[item.id], *item.members)))
        elif item.id not in host:
            items.append(item)
    return Series(tuple(items))
