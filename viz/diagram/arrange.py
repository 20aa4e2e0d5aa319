"""Graph -> Diagram: a box for each layer, a frame for each opened block, `4 x` for copies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from compiler.facts.labels import Convention
from compiler.graph import Graph
from viz.diagram.annotate import Annotator, BoxSubject, is_scaled_sum
from viz.diagram.box_builder import BoxBuilder, View
from viz.diagram.dissolve import dissolve_crossed
from viz.diagram.faults import NO_FAULTS, Faults
from viz.diagram.heat import heat
from viz.diagram.merge_hidden import merge_hidden
from viz.diagram.parts import Arrow, Box, Diagram, Group, Item, Parallel, Series, walk
from viz.diagram.slots import Slots


def arrange(
    graph: Graph,
    view: View | None = None,
    faults: Faults = NO_FAULTS,
    default: Convention | None = None,
    slots: Slots | None = None,
) -> Diagram:
    """Return the picture of a network or of one block in it.

    Args:
        graph: the graph to draw.
        view: what is drawn, the whole network by default.
        faults: what is wrong with it.
        default: the norm and activation that labels need not mention; None: the most frequent here.
        slots: put a mark for each number that may change, and keep what it is.

    Raises:
        KeyError: the view's scope is no region of the graph.
    """
    view = view or View()
    boxes = BoxBuilder(graph, view, faults, default, slots)
    content = merge_hidden(graph, boxes.draw(), boxes.hidden)
    if view.show:
        content = _annotated(content, Annotator(graph, view.show), boxes.subjects)
    arrows = tuple(_arrows(graph, content, boxes, faults))
    diagram = Diagram(
        name=view.scope or graph.name,
        title=boxes.title(view.scope),
        content=dissolve_crossed(content, arrows),
        arrows=arrows,
        notes=(*faults.notes(graph, view.scope), *_stated(graph, view.scope)),
    )
    return heat(graph, diagram, view.heat, boxes.subjects) if view.heat else diagram


def _annotated(
    series: Series, annotator: Annotator, subjects: Mapping[str, BoxSubject], copies: int = 1
) -> Series:
    """Return a series with numbers in its boxes; inside a frame of copies those of one copy."""
    items: list[Item] = []
    for item in series.items:
        if isinstance(item, Group):
            inner = _annotated(item.content, annotator, subjects, copies * item.times)
            items.append(replace(item, content=inner, notes=annotator.frame(item, copies)))
        elif isinstance(item, Parallel):
            columns = (_annotated(c, annotator, subjects, copies) for c in item.columns)
            items.append(replace(item, columns=tuple(columns)))
        elif item.id in subjects:
            beside = (item.size or "").split()
            notes = annotator.box(item, subjects[item.id], copies)
            own = tuple(n for n in notes if n not in beside)
            items.append(replace(item, notes=(*item.notes, *own)))
        else:
            items.append(item)
    return Series(tuple(items))


def _stated(graph: Graph, scope: str) -> Iterator[str]:
    """Yield a sentence for each size in the picture that the spec states and nothing computed."""
    for node in graph.nodes_in(scope):
        if node.is_stated:
            size = node.shape.paper
            yield f"`{node.name}`: {size} is stated, not computed; what follows goes by it"


def _arrows(graph: Graph, content: Series, made: BoxBuilder, faults: Faults) -> Iterator[Arrow]:
    """Yield one arrow for each pair of boxes that data flows between, in drawing order.

    A box that represents several copies shows the way of the first copy; what a copy reads
    from the one before it is the fold itself.
    """
    boxes = [item for item in walk(content) if isinstance(item, Box)]
    owner = {name: box.id for box in boxes for name in box.members} | made.entrances
    order = {box.id: i for i, box in enumerate(boxes)}
    seen: set[tuple[str, str]] = set()
    unfit = {reader for _, reader in faults.edges}
    for source, reader, box in _uses(graph, boxes, made.exits):
        pair = (owner[source], box.id)
        if pair not in seen and order[pair[0]] < order[pair[1]]:
            seen.add(pair)
            label = graph.nodes[source].shape.paper if reader in unfit else None
            times = max(
                (n for s, n in _reads(graph, box).items() if owner.get(s) == pair[0]), default=1
            )
            yield Arrow(*pair, label, (source, reader) in faults.edges, times)


def _reads(graph: Graph, box: Box) -> Counter[str]:
    """Return how many operands each tensor is that a box reads.

    A closed block has the operands that enter it, however often they are read inside; an addition
    has those that its residual scales too.
    """
    if box.region is not None:
        return Counter(graph.regions[box.region].inputs)
    nodes = [graph.nodes[name] for name in box.members]
    is_sum = is_scaled_sum(nodes)
    out: Counter[str] = Counter()
    for node in nodes:
        for name in set(node.inputs):
            times = node.inputs.count(name)
            out[name] = out[name] + times if is_sum else max(out[name], times)
    return out


def _uses(graph: Graph, boxes: list[Box], exits: dict[str, str]) -> Iterator[tuple[str, str, Box]]:
    """Yield (tensor, operation that reads it, the reader's box) in drawing order."""
    for box in boxes:
        if box.id in exits:
            yield exits[box.id], "", box
        for name in box.members:
            for source in graph.nodes[name].inputs:
                yield source, name, box
