"""Graph -> the drawings of a page: the network closed and at every depth, every block's figure.

A drawing is JSON: boxes, frames and legs of arrows with their places, x from the spine to the
right, y from the lower edge upwards, in points. `viz/html/openings.py` has what opening does.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from itertools import count
from string import printable

from compiler.facts.labels import convention
from compiler.graph import Graph
from viz.diagram.arrange import arrange
from viz.diagram.box_builder import View
from viz.diagram.faults import Faults
from viz.diagram.parts import Diagram
from viz.diagram.selection import drawn, view_of_definition
from viz.diagram.slots import Slots
from viz.formats.strokes import HEAD_LENGTH, HEAD_WIDTH
from viz.html.openings import Chain, Openings
from viz.html.placed import Json, Names, Words, content_json, number
from viz.layout.cells import FRAME_PAD
from viz.layout.lay_out import lay_out
from viz.layout.measure import SIZE_GAP
from viz.layout.opening import EPS, Scene
from viz.layout.placed import Layout
from viz.style.font import font
from viz.style.text import visible
from viz.style.theme import THEMES

THEME = THEMES["paper"]
Live = Container[tuple[str, str]]


def write_drawings(graph: Graph, live: Live, faults: Faults) -> Json:
    """Return the pictures of a network as data.

    Args:
        graph: the network; a draft with unknown sizes is drawn as far as it goes.
        live: the (node, attribute) whose number may change.
        faults: what is wrong with it.

    Returns:
        `views`: the network, then the figure of each block; each with a title, the number of its
        figure where one is cited, the block's name, and its content. `depths`: for each depth
        from 1 the blocks that it opens, and the content of the whole where opening them one by one
        does not come to that. `insides`: the contents of open blocks, each once.
    """
    return _Writer(graph, live, faults).drawings()


class _Writer:
    def __init__(self, graph: Graph, live: Live, faults: Faults) -> None:
        self.graph = graph
        self.live = live
        self.faults = faults
        self.usual = convention(graph)
        used = {region.definition for region in graph.regions.values()}
        self.blocks = [name for name in graph.definitions if name in used]
        self.openings = Openings(self._scene, self._words(graph), self._figures(graph))

    def drawings(self) -> Json:
        """Return the pictures."""
        first = self._scene(())
        content = self.openings.content(first) | _extent(first)
        views = [{"title": visible(self.graph.title), "content": content}]
        pictures = {
            "views": [*views, *map(self._figure, self.blocks)],
            "depths": list(self._depths(first)),
            "insides": self.openings.insides,
        }
        return pictures | {"type": _type(set(json.dumps(pictures, ensure_ascii=False)))}

    def _scene(self, opened: Chain, depth: int = 0) -> Scene:
        view = View(depth=depth, opened=frozenset(opened))
        return Scene(_lay_out(arrange(self.graph, view, self.faults, self.usual)), opened)

    def _figures(self, graph: Graph) -> dict[str, int]:
        """Return region -> the view of its definition."""
        views = {name: i for i, name in enumerate(self.blocks, 1)}
        regions = graph.regions.items()
        return {name: views[r.definition] for name, r in regions if r.definition in views}

    def _words(self, graph: Graph) -> Words:
        """Return what the labels are made of, at whatever depth."""
        words = Words(Slots(graph, self.live))
        closed = 1
        for depth in count():
            if not closed:
                return words
            marked = arrange(graph, View(depth=depth), self.faults, self.usual, words.slots)
            words.add(marked)
            closed = sum(box.region is not None for box in marked.boxes())
        raise AssertionError

    def _depths(self, first: Scene) -> Iterator[Json]:
        """Yield the blocks that each depth opens, and the whole where they do not add up to it."""
        openings = self.openings
        known: set[str] = set()
        for depth in count(1):
            scene = self._scene((), depth)
            groups = [frame.group for frame in scene.layout.frames]
            new = [g.id for g in groups if g.id == g.region and g.id not in known]
            if not new:
                return
            known.update(new)
            out: Json = {"ids": new}
            grown = sum(openings.rises.get(name, 0.0) for name in known)
            adds_up = abs(first.layout.height + grown - scene.layout.height) < EPS
            if not adds_up or not known <= openings.rises.keys():
                out["content"] = self._whole(scene, openings.words, openings.figures)
            yield out

    def _whole(self, scene: Scene, words: Words, figures: Mapping[str, int]) -> Json:
        return content_json(scene, "", words, Names(), figures) | _extent(scene)

    def _figure(self, name: str) -> Json:
        """Return the figure of a block as it is defined."""
        view = view_of_definition(self.graph, name, View())
        graph, view = drawn(self.graph, view)
        words = Words()
        if graph is self.graph:
            words = Words(Slots(graph, self.live))
            words.add(arrange(graph, view, self.faults, self.usual, words.slots))
        scene = Scene(_lay_out(arrange(graph, view, self.faults, self.usual)), ())
        content = self._whole(scene, words, self._figures(graph))
        definition = self.graph.definitions[name]
        out: Json = {"title": visible(definition.title), "block": name, "content": content}
        cite = definition.info.cite
        return out | ({"figure": cite.figure} if cite and cite.figure is not None else {})


def _type(letters: set[str]) -> Json:
    """Return what a viewer needs to draw as the formats do: of type, and distances."""
    widths = {letter: round(font().width(letter, 1.0), 3) for letter in letters | set(printable)}
    return {
        "widths": dict(sorted(widths.items())),
        "size": THEME.font_pt,
        "leading": THEME.leading,
        "note": THEME.note_pt,
        "line": THEME.line_width,
        "head": [HEAD_LENGTH, HEAD_WIDTH],
        "gap": FRAME_PAD / 2,
        "beside": SIZE_GAP,
    }


def _lay_out(diagram: Diagram) -> Layout:
    """Return a picture without the lines below it: the page has its own place for them."""
    return lay_out(replace(diagram, notes=()), THEME)


def _extent(scene: Scene) -> Json:
    left, _, right, top = scene.frame("")
    return {"reach": [number(-left), number(right)], "height": number(top)}
