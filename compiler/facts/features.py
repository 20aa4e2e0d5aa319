"""Graph -> the maps that a detector or segmenter reads, and what each one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import networkx as nx

from compiler.errors import UsageError, did_you_mean
from compiler.graph import Graph, Node, Output, Spread, Window
from compiler.passes.outputs import keep_only


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature map: its channels, how much smaller it is than the input, and its name."""

    num_chs: int
    reduction: int
    module: str


def feature_maps(graph: Graph) -> tuple[Feature, ...]:
    """Return the last map of the trunk before each change of its reduction, in order.

    Where the trunk grows again, there are several of a reduction. The trunk is what every path
    from the input to the first output passes through. The reduction is the product of the strides
    on the way, so a valid convolution that trims the border is no reduction: 149 and 147 of 299
    are both reduction 2.
    """
    reductions = _reductions(graph)
    maps = [node for node in _trunk(graph) if len(node.shape) == 3 and node.inputs]
    runs = groupby(maps, key=lambda node: reductions[node.name])
    last = [(reduction, list(run)[-1]) for reduction, run in runs if reduction > 1]
    return tuple(
        Feature(int(node.shape.channels or 0), reduction, _widest_name(graph, node))  # type: ignore[arg-type]
        for reduction, node in last
    )


def features_of(graph: Graph, names: Sequence[str] = ()) -> tuple[Feature, ...]:
    """Return what is known of named maps, in the given order; without names of `feature_maps`.

    A text is one name; `auto` is none.

    Raises:
        UsageError: there is no such layer or block, or its output is no map; or none was found.
    """
    names = (names,) if isinstance(names, str) else tuple(names)  # a text is a sequence too
    if names == ("auto",):
        names = ()
    if not names:
        found = feature_maps(graph)
        if not found:
            raise UsageError(_why_none(graph))
        return found
    reductions = _reductions(graph)
    return tuple(_named(graph, name, reductions) for name in dict.fromkeys(names))


def _why_none(graph: Graph) -> str:
    reductions = _reductions(graph)
    smaller = [n for n in graph.nodes.values() if len(n.shape) == 3 and reductions[n.name] > 1]
    if not smaller:
        return f"`{graph.name}` has no map smaller than its input; name some"
    name = _widest_name(graph, smaller[0])
    return (
        f"every map of `{graph.name}` that is smaller than its input has a path around it; "
        f"name those that you want, such as `{name}`"
    )


def _named(graph: Graph, name: str, reductions: dict[str, int]) -> Feature:
    if not name or (name not in graph.nodes and name not in graph.regions):
        known = [n for n in (*graph.regions, *graph.nodes) if n]
        raise UsageError(
            f"there is no tensor `{name}` in `{graph.name}`{did_you_mean(name, known)}"
        )
    node = graph.tensor(name)
    if len(node.shape) != 3 or not node.inputs:
        what = "an input of the network" if not node.inputs else f"a vector, {node.shape}"
        raise UsageError(f"`{name}` is {what}, not a computed map")
    return Feature(int(node.shape.channels or 0), reductions[node.name], name)  # type: ignore[arg-type]


def feature_graph(graph: Graph, features: Sequence[Feature]) -> Graph:
    """Return the graph whose outputs are the maps, without what none of them depends on.

    Outputs are called as the maps are, with `_` where a name has a dot.
    """
    outputs: list[Output] = []
    for feature in features:
        node = graph.tensor(feature.module).name
        name = feature.module.replace(".", "_")
        while (name in graph.nodes and name != node) or name in (o.name for o in outputs):
            name += "_"
        outputs.append(Output(name, node))
    nodes = [o.node for o in outputs]
    regions = {**graph.regions, "": replace(graph.regions[""], output=nodes[-1])}
    ends = replace(graph, outputs=tuple(outputs), regions=regions, returns="outputs", spec=graph)
    ends = replace(ends, claims=())  # of the whole network
    return keep_only(ends, nodes)


def _trunk(graph: Graph) -> list[Node]:
    """Return the nodes that every path to the first output passes through, in order.

    They are its dominators in the graph; one node before the inputs makes these one entrance.
    """
    flow = nx.DiGraph(graph.network)
    flow.add_edges_from(("", name) for name in graph.inputs)
    above = nx.immediate_dominators(flow, "")
    out, name = [], graph.outputs[0].node
    while name:
        out.append(graph.nodes[name])
        name = above[name]
    return out[::-1]


def _reductions(graph: Graph) -> dict[str, int]:
    """Return node -> how many input pixels one step on its grid is."""
    out: dict[str, int] = {}
    for node in graph.nodes.values():
        before = max((out[i] for i in node.inputs), default=1)
        if node.inputs:
            match node.op.sees(*graph.input_shapes(node)):
                case Window(stride=stride):
                    before *= max(stride)
                case Spread(factor):
                    before = max(1, before // min(factor))
        out[node.name] = before
    return out


def _widest_name(graph: Graph, node: Node) -> str:
    """Return the name of the widest stretch of the spec that ends in a node."""
    named = [
        r.name
        for r in graph.regions.values()
        if r.name and not r.transparent and r.output == node.name and r.members
    ]
    return min([*named, node.name], key=len)
