"""Moves what is not drawn on its own into the box of the layer that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from compiler.graph import Graph
from viz.diagram.parts import Box, Group, Guest, Series, map_boxes, walk


def merge_hidden(graph: Graph, content: Series, hidden: set[str]) -> Series:
    """Return the picture without the boxes in `hidden`; their operations stay in it.

    A hidden box that no box or several boxes read is drawn after all: it could not be in
    exactly one of them. So is the last one of a frame that would be empty.
    """
    boxes = _boxes(content)
    host = _hosts(graph, boxes, hidden)
    frames = [list(_boxes(item.content)) for item in walk(content) if isinstance(item, Group)]
    last = {inside[-1] for inside in frames if inside and host.keys() >= set(inside)}
    if last:
        host = _hosts(graph, boxes, hidden - last)
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


def _boxes(content: Series) -> dict[str, Box]:
    return {item.id: item for item in walk(content) if isinstance(item, Box)}


def _hosts(graph: Graph, boxes: dict[str, Box], hidden: set[str]) -> dict[str, str]:
    """Return the hidden boxes that one box reads, each with the box that it moves into."""
    owner = {name: box.id for box in boxes.values() for name in box.members}
    host: dict[str, str] = {}
    for box_id in reversed(boxes):
        if box_id in hidden:
            readers = _readers(graph, boxes[box_id], owner)
            if len(readers) == 1:
                reader = readers.pop()
                host[box_id] = host.get(reader, reader)
    return host


def _readers(graph: Graph, box: Box, owner: Mapping[str, str]) -> set[str]:
    readers = {owner.get(c, "") for name in box.members for c in graph.consumers[name]}
    return readers - {box.id}
