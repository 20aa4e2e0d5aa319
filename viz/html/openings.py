"""What opening each block of a network does to its picture, as data that adds up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from viz.html.placed import (
    Json,
    Names,
    Words,
    content_json,
    frame_json,
    joined,
    number,
    numbers,
    points_json,
)
from viz.layout.opening import EPS, Ends, Rise, Scene, find_moves, find_rise, is_in
from viz.layout.placed import Point

Chain = tuple[str, ...]
"""Open blocks, each in the one before it."""
MOST_BOXES = 20_000
"""So many are laid out, about two seconds; blocks after that do not open in place."""
Moves = Mapping[Ends, tuple[Point, ...]]


@dataclass(slots=True)
class _Beside:
    """What an open block, somewhere inside a scope, moves sideways there."""

    reach: tuple[float, float] | None = None
    """How far the scope then reaches left and right of the spine; None: no farther."""
    legs: Moves = field(default_factory=dict)
    frames: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Frames in the scope that stay open around the block -> how far they then reach."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A block that is open, in what is open around it."""

    scene: Scene
    rise: Rise
    beside: Mapping[str, _Beside]
    """Scope around it -> what moves sideways there."""


class Openings:
    """Lays out a network with each block open, and writes what that changes."""

    def __init__(
        self, scene: Callable[[Chain], Scene], words: Words, figures: Mapping[str, int]
    ) -> None:
        self.scene = scene
        self.words = words
        self.figures = figures
        self.insides: list[Json] = []
        self.rises: dict[str, float] = {}
        """Block that opens in place -> by how much it lifts what is above it."""
        self.laid_out = 0
        """How many boxes were."""
        self._known: dict[str, int] = {}
        self._beside: dict[tuple[str, str], _Beside] = {}

    def content(self, scene: Scene) -> Json:
        """Return what is in the last block of a scene's chain, and what opens in it."""
        scope = scene.chain[-1] if scene.chain else ""
        names = Names(scope)
        content = content_json(scene, scope, self.words, names, self.figures)
        legs = list(scene.legs(scope) or {})
        boxes = [placed.box for placed in scene.layout.boxes if is_in(placed.box.id, scope)]
        opened = self._opened(scene, [box.id for box in boxes if box.region is not None], legs)
        for box, written in zip(boxes, content["boxes"], strict=True):
            if box.id in opened:
                written["opens"] = self._opening(opened[box.id], written, names)
        for ends, leg in zip(legs, content["legs"], strict=True):
            leg.update(_joints(ends, opened))
        frames = [f.group.id for f in scene.layout.frames if is_in(f.group.id, scope)]
        beside = dict(self._beside_in(scope, legs, frames, names))
        return content | ({"beside": beside} if beside else {})

    def _opened(self, closed: Scene, blocks: list[str], legs: list[Ends]) -> dict[str, _Open]:
        """Return those blocks of a scope that open in place."""
        found = {name: self._try(closed, name) for name in blocks}
        opened = {name: each for name, each in found.items() if each is not None}
        for tail, head in legs:
            if tail in opened and head in opened and not self._meet(closed, tail, head, opened):
                del opened[head]
        return opened

    def _try(self, closed: Scene, name: str) -> _Open | None:
        """Return what opening a block does; None where that does not add up with other blocks."""
        if self.laid_out > MOST_BOXES:
            return None
        scene = self.scene((*closed.chain, name))
        self.laid_out += len(scene.layout.boxes)
        rise = find_rise(closed, scene)
        if rise is None:
            return None
        beside: dict[str, _Beside] = {}
        for scope, child in zip(("", *closed.chain), scene.chain, strict=True):
            before, after = closed.legs(scope), scene.legs(scope)
            here = rise if child == name else replace(rise, top=closed.frames[child][3], lift=0.0)
            moves = find_moves(before, after, here)
            if moves is None:
                return None
            around = [f for f in closed.frames if is_in(f, scope) and is_in(child, f)]
            grown = {f: scene.reach(f) for f in (scope, *around) if _grows(closed, scene, f)}
            beside[scope] = _Beside(grown.pop(scope, None), moves, grown)
        return _Open(scene, rise, beside)

    def _meet(self, closed: Scene, tail: str, head: str, opened: Mapping[str, _Open]) -> bool:
        """Return whether every leg out of one open block goes on as every leg into the next."""
        outs, ins = (
            [pair for pair in opened[name].scene.legs(name) or {} if pair[side] == other]
            for name, side, other in ((tail, 1, head), (head, 0, tail))
        )
        if len(outs) <= 1 or len(ins) <= 1:
            return True
        both = self.scene((*closed.chain, tail, head)).layout.arrows
        pairs = {(a.arrow.tail, a.arrow.head) for a in both}
        return all((out[0], into[1]) in pairs for out in outs for into in ins)

    def _opening(self, found: _Open, box: Json, names: Names) -> Json:
        """Return what the viewer needs to open a block."""
        scene, rise = found.scene, found.rise
        name = scene.chain[-1]
        self.rises[name] = rise.rise
        for scope, beside in found.beside.items():
            self._beside[scope, name] = beside
        inside = self.content(scene)
        index = self._known.setdefault(json.dumps(inside), len(self.insides))
        if index == len(self.insides):
            self.insides.append(inside)
        group = next(frame for frame in scene.layout.frames if frame.group.id == name)
        frame = frame_json(group, scene.frames[name], 0.0, self.words, names)
        out: Json = {"inside": index, "rise": number(rise.rise, 3)}
        out["reach"] = numbers(scene.reach(name))
        if rise.lift > EPS:
            out["lift"] = number(rise.lift, 3)
        # A caption is mostly what is in the box, on one line.
        if frame["lines"][0] != joined(box["lines"]):
            out["lines"] = frame["lines"]
        if frame.get("size") != box.get("size"):
            out["size"] = frame.get("size")
        return out

    def _beside_in(
        self, scope: str, legs: list[Ends], frames: list[str], names: Names
    ) -> Iterator[tuple[str, Json]]:
        """Yield the blocks inside a scope that move something in it sideways, and what."""
        for (where, block), beside in self._beside.items():
            out: Json = {}
            if where == scope and beside.reach is not None:
                out["reach"] = numbers(beside.reach)
            if where == scope and beside.legs:
                moved = {legs.index(ends): points for ends, points in beside.legs.items()}
                out["legs"] = {i: points_json(points, 0.0) for i, points in moved.items()}
            if where == scope and beside.frames:
                reaches = beside.frames.items()
                out["frames"] = {frames.index(name): numbers(reach) for name, reach in reaches}
            if out:
                yield names.of(block), out


def _grows(closed: Scene, opened: Scene, frame: str) -> bool:
    """Return whether a frame that both pictures have reaches farther sideways in the second."""
    pairs = zip(closed.reach(frame), opened.reach(frame), strict=True)
    return any(abs(before - now) > EPS for before, now in pairs)


def _joints(ends: Ends, opened: Mapping[str, _Open]) -> Iterator[tuple[str, list[int]]]:
    """Yield which legs in the blocks at its ends go on from a leg when they are open."""
    tail, head = ends
    for key, block, side, other in (("tails", tail, 1, head), ("heads", head, 0, tail)):
        if block in opened:
            inner = opened[block].scene.legs(block) or {}
            yield key, [i for i, pair in enumerate(inner) if pair[side] == other]
