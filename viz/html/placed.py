"""What is in a layout -> JSON: boxes, frames, legs of arrows, texts with slots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from viz.diagram.parts import Box, Diagram, Group
from viz.diagram.slots import Part, Slot, Slots
from viz.layout.opening import Ends, Leg, Scene, is_in
from viz.layout.placed import PlacedBox, PlacedFrame, Point
from viz.layout.straighten import Rect
from viz.style.text import visible

Json = dict[str, Any]
KEYS = {"attribute": "a", "size": "s", "copies": "c", "argument": "g"}
"""Kind of slot -> its key in JSON."""


@dataclass(slots=True)
class Words:
    """The labels and sizes of boxes and frames as words and slots, by id."""

    slots: Slots | None = None
    labels: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, str] = field(default_factory=dict)

    def add(self, marked: Diagram) -> None:
        """Take the labels of a picture with marks; those of a frame are its box's."""
        items: Iterable[Box | Group] = chain(marked.boxes(), marked.groups())
        for item in items:
            self.labels[item.id] = item.label
            self.sizes[item.id] = item.size or ""

    def label(self, name: str, plain: str) -> tuple[Part, ...]:
        """Return the parts of a label."""
        return self._parts(plain, self.labels.get(name, plain))

    def size(self, name: str, plain: str) -> tuple[Part, ...]:
        """Return the parts of the size beside a box or frame."""
        return self._parts(plain, self.sizes.get(name, plain))

    def _parts(self, plain: str, marked: str) -> tuple[Part, ...]:
        return self.slots.parts(plain, marked) if self.slots else (plain,)


def split_parts(parts: Sequence[Part], lines: Sequence[str]) -> list[list[Part]]:
    """Return a label's parts line by line as a box has them.

    Lines are broken at spaces, which they lose, or within a word; a slot that is broken is words.
    """
    pieces = [(p, visible(p if isinstance(p, str) else p.text)) for p in parts]
    whole = "".join(text for _, text in pieces)
    out: list[list[Part]] = []
    at = 0
    for line in lines:
        start = whole.find(line, at)
        if start < 0 or whole[at:start].strip():
            return [[line] for line in lines]
        at = start + len(line)
        out.append(_between(pieces, start, at))
    return out


def _between(pieces: Sequence[tuple[Part, str]], start: int, end: int) -> list[Part]:
    """Return what is between two characters of the pieces' texts."""
    out: list[Part] = []
    at = 0
    for part, text in pieces:
        low, high = max(start, at), min(end, at + len(text))
        if low < high:
            is_whole = isinstance(part, Slot) and high - low == len(text)
            out.append(part if is_whole else text[low - at : high - at])
        at += len(text)
    return out


class Names:
    """Names in the JSON of a block: what begins with the block's path does so by a point."""

    def __init__(self, block: str = "") -> None:
        self.prefix = f"{block}." if block else ""

    def of(self, name: str) -> str:
        """Return the name of a node, region or box."""
        inside = self.prefix and name.startswith(self.prefix)
        return name[len(self.prefix) - 1 :] if inside else name

    def texts(self, parts: Iterable[Part]) -> list[Json | str]:
        """Return words and slots."""
        return [visible(p) if isinstance(p, str) else self._slot(p) for p in parts]

    def _slot(self, slot: Slot) -> Json:
        first, *rest = slot.subject
        subject = [self.of(first), *rest] if rest else self.of(first)
        out = {KEYS[slot.kind]: subject, "t": visible(slot.text)}
        return out | ({"less": 1} if slot.is_rest else {})


def joined(lines: Sequence[Sequence[Json | str]]) -> list[Json | str]:
    """Return the lines of a label as one, with spaces between them."""
    out: list[Json | str] = []
    for i, line in enumerate(lines):
        for part in ([" "] if i else []) + list(line):
            if isinstance(part, str) and out and isinstance(out[-1], str):
                out[-1] += part
            else:
                out.append(part)
    return out


def number(value: float, digits: int = 2) -> float:
    """Return a length in points as JSON has it."""
    short = round(value, digits)
    return int(short) if short == int(short) else short


def numbers(values: Iterable[float]) -> list[float]:
    """Return lengths as JSON has them."""
    return [number(value) for value in values]


def area(rect: Rect, low: float) -> list[float]:
    """Return x, y, width, height; y from `low`."""
    left, bottom, right, top = rect
    return numbers((left, bottom - low, right - left, top - bottom))


def box_json(placed: PlacedBox, rect: Rect, low: float, words: Words, names: Names) -> Json:
    """Return a box with its lines and the size beside it."""
    box = placed.box
    lines = [text.text for text in placed.texts if text.role == "label"]
    parts = split_parts(words.label(box.id, box.label), lines)
    out: Json = {
        "id": names.of(box.id),
        "kind": box.kind,
        "at": area(rect, low),
        "lines": [names.texts(line) for line in parts],
    }
    if box.size:
        out["size"] = names.texts(words.size(box.id, box.size))
    flags = {"round": placed.round, "failed": box.failed, "optional": box.optional}
    return out | {flag: 1 for flag, holds in flags.items() if holds}


def frame_json(placed: PlacedFrame, rect: Rect, low: float, words: Words, names: Names) -> Json:
    """Return a frame with its caption and the size beside it."""
    group = placed.group
    out: Json = {
        "id": names.of(group.id),
        "kind": group.kind,
        "at": area(rect, low),
        "lines": [names.texts(words.label(group.id, group.label))],
    }
    if group.size:
        out["size"] = names.texts(words.size(group.id, group.size))
    return out


def leg_json(ends: Ends, leg: Leg, low: float, places: Mapping[str, int]) -> Json:
    """Return a leg; an end that is in another scope is left out."""
    tail, head = ends
    out: Json = {"at": points_json(leg.points, low)}
    if tail in places:
        out["from"] = places[tail]
    if head in places:
        out["to"] = places[head]
    if leg.arrow.arrow.failed:
        out["failed"] = 1
    if leg.words is not None:
        (x, y), text = leg.words
        out["words"] = [number(x), number(y - low), text]
    return out


def points_json(points: Sequence[Point], low: float) -> list[float]:
    """Return points one after the other; y from `low`."""
    return numbers(value for x, y in points for value in (x, y - low))


def content_json(
    scene: Scene, scope: str, words: Words, names: Names, figures: Mapping[str, int]
) -> Json:
    """Return all boxes, frames and legs in a scope of a picture.

    Args:
        scene: the picture.
        scope: a block that is open in it; "" for the whole.
        words: what labels are made of.
        names: how they are written.
        figures: block -> the view that its definition has of its own.
    """
    layout, low = scene.layout, scene.frame(scope)[1]
    boxes = [b for b in layout.boxes if is_in(b.box.id, scope)]
    places = {b.box.id: i for i, b in enumerate(boxes)}
    rects, frames = scene.boxes, scene.frames
    out: Json = {
        "boxes": [box_json(b, rects[b.box.id], low, words, names) for b in boxes],
        "legs": [leg_json(e, leg, low, places) for e, leg in (scene.legs(scope) or {}).items()],
    }
    for placed, written in zip(boxes, out["boxes"], strict=True):
        if (view := figures.get(placed.box.region or "")) is not None:
            written["figure"] = view
    inner = []
    for frame in layout.frames:
        name = frame.group.id
        if is_in(name, scope):
            first = next(i for i, b in enumerate(boxes) if is_in(b.box.id, name))
            written = frame_json(frame, frames[name], low, words, names)
            inner.append(written | {"before": first, "closes": int(frame.group.region == name)})
    return out | ({"frames": inner} if inner else {})
