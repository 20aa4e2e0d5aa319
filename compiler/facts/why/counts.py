"""Where counts come from: parameters, MACs, running statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from compiler.facts.why.letters import Asked, in_letters
from compiler.facts.why.sources import Sources
from compiler.facts.why.step import Step, Term, shown
from compiler.graph import Dim, Graph, Node


class Counted(NamedTuple):
    """What is counted: the sum over a region, the number of a node, what its operation says."""

    of_region: Callable[[Graph, str], Dim]
    of_node: Callable[[Graph, Node], Dim]
    asked: Asked


COUNTS: Mapping[str, Counted] = {
    "parameters": Counted(
        Graph.parameters, Graph.count_params, lambda op, inputs, _: op.count_params(*inputs)
    ),
    "macs": Counted(
        Graph.macs, Graph.count_macs, lambda op, inputs, output: op.count_macs(inputs, output)
    ),
    "buffers": Counted(
        Graph.buffers, Graph.count_buffers, lambda op, inputs, _: op.count_buffers(*inputs)
    ),
}


def count(sources: Sources, kind: str, name: str) -> Step:
    """Return where a count of a node, of a region, or of the network (`""`) comes from."""
    graph = sources.graph
    region = graph.regions.get(name)
    if region is None or region.kind == "layer":
        return _of_layer(sources, kind, name)
    what = f"{kind} of {name}" if name else kind
    total = COUNTS[kind].of_region(graph, name)
    parts = [n for n in sources.members(name) if _counted(graph, kind, n)]
    if len(parts) == 1:  # a branch of one layer, the only layer of a block that learns
        return count(sources, kind, parts[0])
    said = sources.words(name) if name else graph.title
    cite = _cite(graph, name)
    if region.kind == "repeat" and len({_counted(graph, kind, n) for n in parts}) == 1:
        first = count(sources, kind, parts[0])
        formula = f"{len(parts)} * {shown(first.value)}"
        return Step(what, total, formula, said, cite, region.info.span, (Term("each", first),))
    terms = [Term(_label(name, part), count(sources, kind, part)) for part in parts]
    formula = " + ".join(f"{shown(term.step.value)} ({term.label})" for term in terms)
    return Step(what, total, formula or "0", said, cite, region.info.span, tuple(terms))


def _of_layer(sources: Sources, kind: str, name: str) -> Step:
    """Return the count of a layer: the formulas of its operations in one line."""
    graph = sources.graph
    nodes = list(graph.nodes_in(name)) if name in graph.regions else [graph.nodes[name]]
    total = _counted(graph, kind, name)
    said, formulas = sources.words(name), []
    for node in nodes:
        if node.share:
            said += f", with the parameters of {node.share}"
        elif COUNTS[kind].of_node(graph, node):
            lettered = in_letters(graph, node, COUNTS[kind].asked)
            formulas.append(sources.formula(node, lettered, 0)[0])
    what = f"{kind} of {name}"
    return Step(what, total, " + ".join(formulas), said, sources.cite(nodes[0]), nodes[0].info.span)


def _counted(graph: Graph, kind: str, name: str) -> Dim:
    if name in graph.regions:
        return COUNTS[kind].of_region(graph, name)
    return COUNTS[kind].of_node(graph, graph.nodes[name])


def _label(region: str, member: str) -> str:
    return member.removeprefix(f"{region}.") if region else member


def _cite(graph: Graph, name: str) -> str:
    info = graph.info_of(name)
    region = graph.regions[name]
    definition = graph.definitions.get(region.definition or "")
    cite = info.cite or (definition.info.cite if definition else None)
    return str(cite) if cite else ""
