"""What a name of a value means: a size or count of a layer, an attribute, a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from compiler.errors import UsageError, did_you_mean, listing
from compiler.facts.why.around import values_of
from compiler.facts.why.counts import COUNTS, count
from compiler.facts.why.fields import field
from compiler.facts.why.letters import WIDTHS
from compiler.facts.why.sources import AXES, Sources
from compiler.facts.why.step import Step
from compiler.graph import Graph, Node
from compiler.text import Value


def why(graph: Graph, value: str) -> Step:
    """Return where a value comes from.

    Args:
        graph: as the spec has it; it may be the draft of a wrong one.
        value: `reduction_a.channels`, `macs`, `classes`, `reduction_a.n`, `stem.conv_1a.stride`.

    Raises:
        UsageError: there is no such value; the message lists what there is.
    """
    sources = Sources(graph)
    if value in _arguments(graph, ""):
        return replace(sources.parameter(graph.regions[""], value), what=value)
    name, _, asked = value.rpartition(".")
    if _is_there(graph, value) and asked not in _arguments(graph, name):
        raise UsageError(f"`{value}` is a layer; ask for one of {_values(graph, value)}")
    if not _is_there(graph, name):
        guess = did_you_mean(name, [*graph.nodes, *graph.regions])
        raise UsageError(f"`{graph.name}` has no layer `{name}`{guess}, as `{value}` would have it")
    found = _found(sources, name, asked)
    if found is None:
        whose = f"`{name}`" if name else f"`{graph.name}`"
        raise UsageError(f"{whose} has no `{asked}`; it has {_values(graph, name)}")
    return replace(found, what=value)


def _arguments(graph: Graph, name: str) -> Mapping[str, Value]:
    """Return the names of an instance of a block, or of the network; nothing else has its own."""
    region = graph.regions.get(name)
    return values_of(graph, region) if region and region.kind in ("block", "network") else {}


def _is_there(graph: Graph, name: str) -> bool:
    return name in graph.nodes or name in graph.regions


def _found(sources: Sources, name: str, asked: str) -> Step | None:
    graph = sources.graph
    tensor = graph.tensor(name)
    if asked in _arguments(graph, name):
        return sources.parameter(graph.regions[name], asked)
    if asked in AXES and AXES.index(asked) < len(tensor.shape):
        return sources.size(tensor.name, AXES.index(asked))
    if asked in COUNTS:
        return count(sources, asked, name)
    if asked == "receptive_field":
        return field(sources, tensor.name)
    for node in _operations(graph, name):
        if asked in _attributes(node):
            return sources.attribute(node, _attributes(node)[asked])
    return None


def _operations(graph: Graph, name: str) -> list[Node]:
    """Return the operations of a layer; a structure of layers has none of its own."""
    region = graph.regions.get(name)
    if region is None:
        return [graph.nodes[name]]
    return list(graph.nodes_in(name)) if region.kind == "layer" else []


def _attributes(node: Node) -> dict[str, str]:
    """Return how an attribute may be called -> its name: the width by the key that says it too."""
    out = {name: name for name in node.op.attributes()}
    return out | dict.fromkeys({node.op.width_key} - {""}, next(filter(out.get, WIDTHS), ""))


def _values(graph: Graph, name: str) -> str:
    """Return what may be asked of a layer, for a message."""
    known = [*AXES[: len(graph.tensor(name).shape)], *COUNTS, "receptive_field"]
    known += _arguments(graph, name)
    for node in _operations(graph, name):
        known += [key for key in _attributes(node) if key not in known]
    return listing(known)
