"""Which boxes cost most: parameters, MACs, activation memory or receptive field as a colour."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from compiler.facts.receptive import receptive_fields
from compiler.facts.summarize import activation_bytes
from compiler.graph import Dim, Graph, floor_divide, tally
from viz.diagram.annotate import BoxSubject, readable
from viz.diagram.parts import Box, Diagram, Group, Legend, Parallel, Series, map_boxes

HEATS = ("params", "macs", "memory", "rf")
"""What `--heat` offers."""
TITLES = {
    "params": "parameters",
    "macs": "MACs",
    "memory": "bytes of activations, one input of 32 bits",
    "rf": "pixels of receptive field, longer side",
}


def heat(graph: Graph, diagram: Diagram, what: str, subjects: Mapping[str, BoxSubject]) -> Diagram:
    """Return a diagram whose boxes say which part of the largest value of one box theirs is.

    A box in a frame of copies counts for one of them; what is unknown has no heat.

    Args:
        graph: what is drawn.
        diagram: its picture.
        what: one of `HEATS`.
        subjects: box -> what of it has a receptive field.
    """
    value = _measure(graph, what, subjects)
    values = {box.id: value(box, copies) for box, copies in _boxes(diagram.content)}
    known = {name: amount for name, amount in values.items() if isinstance(amount, int)}
    largest = max(known.values(), default=0)

    def heated(box: Box) -> Box:
        if box.id not in known:
            return box
        return replace(box, heat=known[box.id] / largest if largest else 0.0)

    legend = Legend(TITLES[what], readable(largest))
    return replace(diagram, content=map_boxes(diagram.content, heated), legend=legend)


def _boxes(content: Series) -> Iterator[tuple[Box, int]]:
    """Yield every box and how many copies the frames around it represent."""
    stack = [(content, 1)]
    while stack:
        series, copies = stack.pop()
        for item in series.items:
            if isinstance(item, Group):
                stack.append((item.content, copies * item.times))
            elif isinstance(item, Parallel):
                stack.extend((column, copies) for column in item.columns)
            else:
                yield item, copies


def _measure(
    graph: Graph, what: str, subjects: Mapping[str, BoxSubject]
) -> Callable[[Box, int], Dim]:
    if what == "rf":
        fields = receptive_fields(graph)

        def seen(box: Box, copies: int) -> Dim:
            subject = subjects.get(box.id)
            field = fields[subject.output] if subject else None
            return round(max(axis.size for axis in field)) if field else None

        return seen
    count = {
        "params": graph.count_params,
        "macs": graph.count_macs,
        "memory": activation_bytes,
    }[what]
    return lambda box, copies: floor_divide(
        tally(count(graph.nodes[member]) for member in box.members), 0, copies
    )
