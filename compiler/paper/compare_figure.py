"""One network or block beside the figure that it cites."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import networkx as nx

from compiler.errors import Span
from compiler.facts.figure_boxes import FigureBox, FigureBoxes, boxes_of
from compiler.facts.labels import automatic_label, label_of
from compiler.graph import Erratum, Graph, Region
from compiler.ops import Scale
from compiler.paper.align import Picture, align
from compiler.paper.explain import Record, explain, fits, tiers
from compiler.paper.figures import Figure, figures_named, plain_label
from compiler.paper.findings import Count, Deviation, Finding

MOST_TIMES = 5
"""How many times the boxes of its figure a network may have and still be compared with it."""


def compare_figure(
    graph: Graph, region: Region, figure: Figure, records: Mapping[str, Record]
) -> Finding:
    """Compare the boxes, arrows, sizes and the order of branches of a network or block.

    What a label leaves open or has no box at all (the text between the lines) is a deviation
    too, so that everything that the print does not show is either recorded or reported.
    """
    drawn = _without_training(graph, boxes_of(graph, region.name, by_name=True))
    if len(drawn.boxes) > MOST_TIMES * len(figure.boxes):
        return _another_network(graph, region, figure, len(drawn.boxes))
    return _Comparing(graph, region, figure, drawn, records).finding()


def _another_network(graph: Graph, region: Region, figure: Figure, count: int) -> Finding:
    """Return one deviation instead of one for each of very many boxes."""
    place, name = f"Figure {figure.number}", region.name or graph.name
    text = f"prints {len(figure.boxes)} boxes, `{name}` has {count}: it is another network"
    deviation = Deviation(place, text, _span(graph, region))
    total = Count(0, len(figure.boxes))
    return Finding(place, region.name, name, boxes=total, deviations=(deviation,))


def _span(graph: Graph, region: Region) -> Span:
    definition = region.definition
    return graph.definitions[definition].info.span if definition else region.info.span


class _Comparing:
    def __init__(
        self,
        graph: Graph,
        region: Region,
        figure: Figure,
        drawn: FigureBoxes,
        records: Mapping[str, Record],
    ) -> None:
        self.graph = graph
        self.region = region
        self.figure = figure
        self.drawn = drawn
        self.records = records
        self.place = {box.id: i for i, box in enumerate(self.drawn.boxes)}
        self.arrows = {(self.place[tail], self.place[head]) for tail, head in self.drawn.edges}
        matched = align(self._printed(), self._built())
        self.pairs, self.swaps = matched.pairs, matched.swaps
        self.deviations: list[Deviation] = []

    def _printed(self) -> Picture:
        boxes = self.figure.boxes
        labels = tuple(plain_label(b.label) for b in boxes)
        return Picture(labels, frozenset(self.figure.arrows), tuple(b.x for b in boxes))

    def _built(self) -> Picture:
        labels = tuple(plain_label(b.label) for b in self.drawn.boxes)
        return Picture(labels, frozenset(self.arrows), tuple(range(len(labels))))

    def finding(self) -> Finding:
        """Return what is alike and what is not."""
        boxes = self._compare_boxes()
        self._find_extra_boxes()
        arrows = self._compare_arrows()
        sizes, note = self._compare_sizes()
        self._compare_orders()
        self._find_hidden()
        self._find_left_open()
        return Finding(
            place=f"Figure {self.figure.number}",
            region=self.region.name,
            title=label_of(self.graph, self.region.name),
            boxes=boxes,
            arrows=arrows,
            sizes=sizes,
            deviations=tuple(self.deviations),
            remarks=self._remarks(),
            note=note,
        )

    def _remarks(self) -> tuple[Erratum, ...]:
        """Return what is recorded of this figure inside the region and explains no deviation."""
        used = {e.id for d in self.deviations for e in d.errata}
        boxes = (b.id for b in self.drawn.boxes if self._is_known(b.id))
        names = [self.region.name, *boxes, *self.drawn.hidden]
        found = {e.id: e for n in names for errata in tiers(self.graph, (n,)) for e in errata}
        return tuple(
            e
            for e in found.values()
            if self.figure.number in figures_named(e.where) and e.id not in used
        )

    # -- names, places, records --------------------------------------------------------------

    def _local(self, name: str) -> str:
        """Return a name relative to the block."""
        return name.removeprefix(f"{self.region.name}.") if self.region.name else name

    @property
    def _name(self) -> str:
        return self.region.name or self.graph.name

    def _is_known(self, name: str) -> bool:
        """True for what is in the graph; a block's input box is not."""
        return name in self.graph.nodes or name in self.graph.regions

    def _deviate(self, kind: str, text: str, span: Span, name: str = "", built: str = "") -> None:
        """Record a deviation of a layer, or of the whole where no layer is named."""
        names = (name, self.region.name) if name and self._is_known(name) else (self.region.name,)
        number = self.figure.number
        errata = explain(self.graph, number, kind, names, built)
        fitting = tuple(k for k, r in self.records.items() if fits(r, number, kind, built))
        self.deviations.append(
            Deviation(f"Figure {number}", text, span, errata, () if errata else fitting)
        )

    # -- boxes -------------------------------------------------------------------------------

    def _compare_boxes(self) -> Count:
        same = 0
        for i, printed in enumerate(self.figure.boxes):
            if i not in self.pairs:
                text = f"prints a box `{printed.label}`, which `{self._name}` does not have"
                self._deviate("box", text, _span(self.graph, self.region), built=printed.label)
                continue
            box = self.drawn.boxes[self.pairs[i]]
            if plain_label(box.label) == plain_label(printed.label):
                same += 1
                continue
            text = f"prints `{printed.label}`, `{self._local(box.id)}` is `{box.label}`"
            self._deviate("label", text, box.span, box.id, box.label)
        return Count(same, len(self.figure.boxes))

    def _find_extra_boxes(self) -> None:
        matched = set(self.pairs.values())
        for j, box in enumerate(self.drawn.boxes):
            if j not in matched:
                text = f"has no box for `{self._local(box.id)}`, `{box.label}`"
                self._deviate("box", text, box.span, box.id, box.label)

    def _find_hidden(self) -> None:
        """Find what is computed without a box, but for what does nothing."""
        for name in self.drawn.hidden:
            node = self.graph.nodes.get(name)
            if node is not None and isinstance(node.op, Scale) and node.op.factor == 1:
                continue
            built = automatic_label(self.graph, name)
            text = f"has no box for `{self._local(name)}`, `{built}`"
            self._deviate("hidden", text, self.graph.info_of(name).span, name, built)

    def _find_left_open(self) -> None:
        """Find printed labels that differ from what is built, or omit part of it."""
        for j in self.pairs.values():
            box = self.drawn.boxes[j]
            if not self._is_known(box.id) or self.graph.info_of(box.id).label is None:
                continue
            built = automatic_label(self.graph, box.id)
            if _words(built) == _words(box.label):
                continue
            is_teaching = _leaves_open(box.label, built) and not self.graph.info_of(box.id).errata
            if not is_teaching:
                text = f"prints `{box.label}`, `{self._local(box.id)}` is `{built}`"
                self._deviate("label", text, box.span, box.id, built)

    # -- arrows ------------------------------------------------------------------------------

    def _compare_arrows(self) -> Count:
        """Compare arrows; what a box more or less takes along is no deviation of its own."""
        printed = set(self.figure.arrows)
        there = self.pairs
        back = {j: i for i, j in self.pairs.items()}
        same = 0
        for tail, head in self.figure.arrows:
            arrow = there.get(tail, -1), there.get(head, -1)
            if arrow in self.arrows:
                same += 1
            elif -1 not in arrow and not _leads(self.arrows, arrow, back):
                names = " to ".join(f"`{self.figure.boxes[i].label}`" for i in (tail, head))
                span = self.drawn.boxes[arrow[1]].span
                self._deviate(
                    "arrow",
                    f"prints an arrow from {names}, which `{self._name}` does not have",
                    span,
                )
        for tail, head in sorted(self.arrows):
            arrow = back.get(tail, -1), back.get(head, -1)
            if arrow in printed or -1 in arrow or _leads(printed, arrow, there):
                continue
            names = " to ".join(f"`{self._local(self.drawn.boxes[j].id)}`" for j in (tail, head))
            self._deviate("arrow", f"has no arrow from {names}", self.drawn.boxes[head].span)
        return Count(same, len(printed))

    def _compare_orders(self) -> None:
        for swap in self.swaps:
            printed = ", ".join(f"`{self.figure.boxes[i].label}`" for i in swap.first)
            built = ", ".join(f"`{self.drawn.boxes[j].label}`" for j in swap.second)
            self._deviate(
                "order",
                f"prints branches in the order {printed}, `{self._name}` has {built}",
                _span(self.graph, self.region),
            )

    # -- sizes -------------------------------------------------------------------------------

    def _compare_sizes(self) -> tuple[Count, str]:
        """Compare printed sizes with computed ones, where both start from the same input."""
        sizes = {
            i: b.size.removeprefix("Output: ") for i, b in enumerate(self.figure.boxes) if b.size
        }
        if not sizes:
            return Count(), ""
        first = next(iter(sizes))
        given = self._size(self.drawn.boxes[self.pairs[first]]) if first in self.pairs else "?"
        if given != sizes[first]:
            return Count(), f"its sizes hold for an input of {sizes[first]}, here it is {given}"
        same = 0
        for i, size in sizes.items():
            if i not in self.pairs:
                continue
            box = self.drawn.boxes[self.pairs[i]]
            built = self._size(box)
            same += built == size
            if built != size and "?" not in built:
                label = self.figure.boxes[i].label
                text = f"prints {size} beside `{label}`, `{self._local(box.id)}` gives {built}"
                self._deviate("size", text, box.span, box.id, built)
        return Count(same, len(sizes)), ""

    def _size(self, box: FigureBox) -> str:
        """Return the computed output size of a box, whatever the spec states."""
        name = box.id if self._is_known(box.id) else self.region.inputs[0]
        return self.graph.tensor(name).shape.paper


def _leads(arrows: set[tuple[int, int]], arrow: tuple[int, int], matched: dict[int, int]) -> bool:
    """True if arrows lead from the tail to the head through boxes without a partner."""
    tail, head = arrow
    passable = nx.DiGraph((t, h) for t, h in arrows if h == head or h not in matched)
    return tail in passable and head in passable and nx.has_path(passable, tail, head)


def _words(label: str) -> list[str]:
    return re.findall(r"[\w.]+|\+", plain_label(label))


def _leaves_open(label: str, built: str) -> bool:
    """True if a label's words are a subsequence of those of what is built: it only omits some."""
    rest: Iterator[str] = iter(_words(built))
    return all(word in rest for word in _words(label))


def _without_training(graph: Graph, drawn: FigureBoxes) -> FigureBoxes:
    """Leave out what only leads to outputs of training; no figure has an auxiliary head."""
    if not any(o.training_only for o in graph.outputs):
        return drawn
    needed = graph.ancestors(o.node for o in graph.outputs if not o.training_only)
    kept = tuple(b for b in drawn.boxes if not _is_idle(graph, b.id, needed))
    ids = {b.id for b in kept}
    return FigureBoxes(kept, tuple(e for e in drawn.edges if ids.issuperset(e)), drawn.hidden)


def _is_idle(graph: Graph, name: str, needed: set[str]) -> bool:
    if name in graph.regions:
        return not any(n.name in needed for n in graph.nodes_in(name))
    return name in graph.nodes and name not in needed
