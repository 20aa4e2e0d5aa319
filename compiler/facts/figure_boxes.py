"""A network or block as the paper draws it: its boxes and the arrows between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from compiler.errors import Span
from compiler.facts.labels import is_drawn, label_of
from compiler.graph import Drawing, Graph, Region, Shape

OPENED = ("network", "chain", "branches", "branch", "residual")
"""Regions without a box: their members are drawn in the enclosing figure."""


@dataclass(frozen=True, slots=True)
class FigureBox:
    """One box of a figure."""

    id: str
    """The node or region that it represents; the input of a block is `<block>.in`."""
    label: str
    size: str | None
    """The size printed beside it: `149x149x32`, `Output: 35x35x384`."""
    span: Span


@dataclass(frozen=True, slots=True)
class FigureBoxes:
    """The boxes of one figure, bottom to top and left to right, and its arrows (tail, head)."""

    boxes: tuple[FigureBox, ...]
    edges: tuple[tuple[str, str], ...]
    hidden: tuple[str, ...] = ()
    """Nodes and regions that compute something and have no box."""


def boxes_of(graph: Graph, region: str = "", by_name: bool = False) -> FigureBoxes:
    """Return the boxes of a network (`""`) or of one block, with the blocks inside it closed.

    Args:
        graph: the graph that it is in.
        region: the network or a block's instance.
        by_name: show the block's parameters by name, as its definition's figure does.
    """
    whole = graph.regions[region]
    drafting = _Drafting(graph, whole, drawing_of(graph, whole), by_name)
    drafting.draw_inputs()
    drafting.draw(whole, is_trunk=True)
    return FigureBoxes(
        tuple(drafting.boxes.values()), tuple(drafting.arrows()), tuple(drafting.hidden)
    )


def drawing_of(graph: Graph, region: Region) -> Drawing:
    """Return how the figure of a network or block is drawn."""
    if region.definition is None:
        return graph.drawing
    return graph.definitions[region.definition].drawing


def size_beside(drawing: Drawing, shape: Shape, is_trunk: bool, is_input: bool) -> str | None:
    """Return the size that a figure prints beside a box, None where it prints none.

    Args:
        drawing: which sizes the figure prints.
        shape: the output shape of the box.
        is_trunk: the box is in no branch.
        is_input: it is where the data comes from, whose size has no `Output:` before it.
    """
    if drawing.sizes == "none" or not is_trunk:
        return None
    return f"Output: {shape.paper}" if drawing.sizes == "output" and not is_input else shape.paper


@dataclass(slots=True)
class _Drafting:
    graph: Graph
    whole: Region
    drawing: Drawing
    by_name: bool
    boxes: dict[str, FigureBox] = field(default_factory=dict)
    box_of: dict[str, str] = field(default_factory=dict)
    """Node -> the box that it is in."""
    hidden: list[str] = field(default_factory=list)

    def draw_inputs(self) -> None:
        """Add the boxes that the data comes from."""
        if self.whole.kind == "network":
            return  # its inputs are nodes among its members
        definition = self.graph.definitions[str(self.whole.definition)]
        words = self.drawing.input or "Input"
        for name, tensor in zip(definition.inputs, self.whole.inputs, strict=False):
            if tensor in self.box_of:
                continue
            box = (
                f"{self.whole.name}.in"
                if len(definition.inputs) == 1
                else f"{self.whole.name}.{name}"
            )
            size = size_beside(
                self.drawing, self.graph.nodes[tensor].shape, is_trunk=True, is_input=True
            )
            label = words if len(definition.inputs) == 1 else name
            self.boxes[box] = FigureBox(box, label, size, definition.info.span)
            self.box_of[tensor] = box

    def draw(self, region: Region, is_trunk: bool) -> None:
        """Add the boxes of a region's members."""
        for name in region.members:
            inner = self.graph.regions.get(name)
            if inner is not None and inner.kind in OPENED:
                self.draw(inner, is_trunk and inner.kind != "branch")
            elif is_drawn(self.graph, name):
                self.add(name, is_trunk)
            else:
                self.hidden.append(name)

    def add(self, name: str, is_trunk: bool) -> None:
        """Add the box of a node, layer, block or repeat."""
        members = tuple(self._nodes(name))
        for node in members:
            self.box_of[node] = name
        info = self.graph.info_of(name)
        shape = self.graph.tensor(name).shape
        size = size_beside(self.drawing, shape, is_trunk, is_input=name in self.graph.inputs)
        label = label_of(self.graph, name, self.by_name)
        self.boxes[name] = FigureBox(name, label, size, info.span)

    def _nodes(self, name: str) -> Iterator[str]:
        if name in self.graph.regions:
            yield from (n.name for n in self.graph.nodes_in(name))
        else:
            yield name

    def arrows(self) -> Iterator[tuple[str, str]]:
        """Yield the arrows, each once, ordered by head and then by the head's operands."""
        readers = [n for n in self.graph.nodes_in(self.whole.name) if n.name in self.box_of]
        found: dict[tuple[str, str], None] = {}
        for node in readers:
            head = self.box_of[node.name]
            for source in node.inputs:
                for tail in self._tails(source):
                    if tail != head:
                        found[tail, head] = None
        order = {box: i for i, box in enumerate(self.boxes)}
        yield from sorted(found, key=lambda edge: order[edge[1]])

    def _tails(self, node: str) -> Iterator[str]:
        """Yield the boxes that a tensor comes from: through what has no box, to what has."""
        if node in self.box_of:
            yield self.box_of[node]
            return
        for source in self.graph.nodes[node].inputs:
            yield from self._tails(source)
