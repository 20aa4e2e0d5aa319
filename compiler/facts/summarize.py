"""Graph -> the stage table: sizes, parameters, MACs, activation memory, receptive field."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.facts.labels import label_of
from compiler.facts.receptive import Fields, receptive_fields
from compiler.facts.working_sizes import open_sizes
from compiler.graph import Claim, Dim, Graph, Node, Shape, ShapeError, tally, times
from compiler.text import show_value


@dataclass(frozen=True, slots=True)
class Stage:
    """One line of the table: a layer, block or repeat, or a part of one.

    `activation_bytes` is what its outputs take for one sample in float32, with nothing reused;
    `buffers` are the running statistics of its batch norms (mean and variance of each channel);
    a count is a formula where the input is left open, None where a size is unknown.
    `receptive_field` is (height, width) in input pixels, None after a global operation; `stride`
    is how far the fields of neighbours are apart, `offset` the centre of the first one, from the
    centre of the first pixel, padding included (None where that depends on an open size).
    """

    name: str
    title: str
    op: str
    depth: int
    output: Shape
    parameters: Dim
    macs: Dim
    activation_bytes: Dim
    receptive_field: tuple[int, int] | None
    buffers: Dim
    stride: tuple[float, float] | None
    offset: tuple[float | None, float | None] | None


@dataclass(frozen=True, slots=True)
class Summary:
    """A network in numbers."""

    name: str
    title: str
    inputs: tuple[tuple[str, Shape], ...]
    outputs: tuple[tuple[str, Shape], ...]
    parameters: Dim
    macs: Dim
    activation_bytes: Dim
    buffers: Dim
    stages: tuple[Stage, ...]
    claims: tuple[Claim, ...]
    arguments: tuple[tuple[str, str], ...]
    fits: str
    """At which sizes it fits, where sizes are left open; "" where none is, or it is not solved."""


def summarize(graph: Graph, depth: int = 1) -> Summary:
    """Return the numbers of a graph; `depth` is how far regions are opened."""
    fields = receptive_fields(graph)
    costs = {
        n.name: (graph.count_params(n), graph.count_macs(n), activation_bytes(n))
        for n in graph.nodes.values()
    }
    totals = _totals(graph, costs)
    stages: list[Stage] = []
    stack = [(m, 1) for m in reversed(graph.regions[""].members) if m not in graph.inputs]
    while stack:
        name, level = stack.pop()
        region = graph.regions.get(name)
        if region is not None and region.kind == "branches" and region.transparent:
            stack += [(m, level) for m in reversed(region.members)]
            continue
        stages.append(_stage(graph, name, level, totals[name], fields))
        if region is not None and level < depth and region.kind != "layer":
            stack += [(m, level + 1) for m in reversed(region.members)]
    parameters, macs, memory = totals[""]
    return Summary(
        graph.name,
        graph.title,
        tuple((n, graph.nodes[n].shape) for n in graph.inputs),
        tuple((o.name, graph.nodes[o.node].shape) for o in graph.outputs),
        parameters,
        macs,
        memory,
        graph.buffers(),
        tuple(stages),
        graph.claims,
        tuple((k, show_value(v)) for k, v in graph.arguments.items()),
        open_sizes(graph),
    )


Cost = tuple[Dim, Dim, Dim]


def _totals(graph: Graph, costs: dict[str, Cost]) -> dict[str, Cost]:
    """Return node or region name -> parameters, MACs, bytes; regions from the inside out."""
    out = dict(costs)
    for name in reversed(list(graph.regions)):
        members = [out[m] for m in graph.regions[name].members]
        parameters, macs, memory = (tally(m[i] for m in members) for i in range(3))
        out[name] = parameters, macs, memory
    return out


def activation_bytes(node: Node) -> Dim:
    """Return how many bytes the output of an operation has, for one input of 32-bit numbers."""
    try:
        return times(4, *node.shape)
    except ShapeError:
        return None


def _stage(
    graph: Graph, name: str, depth: int, cost: Cost, fields: dict[str, Fields | None]
) -> Stage:
    node = graph.tensor(name)
    field = fields[node.name]
    seen = (round(field[0].size), round(field[1].size)) if field else None
    stride = (field[0].stride, field[1].stride) if field else None
    offset = (field[0].offset, field[1].offset) if field else None
    title, buffers = label_of(graph, name), graph.buffers(name)
    if not any(c.isalpha() for c in title):  # `+` alone: which of them?
        title = f"{name.rpartition('.')[2]} ({title})"
    op = _op(graph, name)
    return Stage(name, title, op, depth, node.shape, *cost, seen, buffers, stride, offset)


def _op(graph: Graph, name: str) -> str:
    region = graph.regions.get(name)
    return graph.nodes[name].op.kind if region is None else region.definition or region.kind


def kinds(graph: Graph) -> dict[str, int]:
    """Return how many operations of each kind a graph has."""
    out: dict[str, int] = {}
    for node in graph.nodes.values():
        out[node.op.kind] = out.get(node.op.kind, 0) + 1
    return out
