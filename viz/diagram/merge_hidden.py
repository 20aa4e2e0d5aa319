"""Moves what is not drawn on its own into the box of the layer that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from compiler.graph import Graph
from viz.diagram.parts import Box, Guest, Series, map_boxes, walk


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
    guests: dict[str, list[Guest]] = {}
    for box_id, box in boxes.items():
        if box_id in host:
            guests.setdefault(host[box_id], []).append(Guest(box.id, box.members))

    def merged(box: Box) -> Box | None:
        if box.id in host:
            return None
        own = tuple(guests.get(box.id, ()))
        hidden = (member for guest in own for member in guest.members)
        return replace(box, members=(*hidden, *box.members), guests=own)

    return map_boxes(content, merged)


def _readers(graph: Graph, box: Box, owner: Mapping[str, str]) -> set[str]:
    readers = {owner.get(c, "") for name in box.members for c in graph.consumers[name]}
    return readers - {box.id}
