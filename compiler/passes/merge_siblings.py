"""Merge convolutions that read the same tensor with the same window into one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from compiler.graph import Graph, Node, Shape, Stacked, letter
from compiler.ops import Activation, Conv2d, Slice
from compiler.passes.rewrite import Rewrite, parameter, shared_nodes, sole_reader

_STRUCTURED = {"branches", "residual", "repeat", "layer"}


def merge_siblings(graph: Graph) -> Graph:
    """Merge convolutions that read the same tensor with the same window into one.

    The 1x1 convolutions that open the branches of an Inception block become one wide product
    that reads its input once; each old name is a slice of it. The merged node is in the
    smallest region that encloses all of them. Precondition: equal kernel, stride, padding and
    dilation, one group, parameters not shared. Those that an activation follows come first,
    so that it can be taken as one too (`hoist_activation`).
    Numbers: every output element is the same sum; within 1e-6 of the largest output in
    float32, as libraries choose another order of summation. Not training-safe: parameters
    are stacked.

    Before:
        %b.one.conv = Conv2d(%x) {out_channels=96, kernel_size=1x1} : (N, 96, 35, 35)
        %b.two.conv = Conv2d(%x) {out_channels=64, kernel_size=1x1} : (N, 64, 35, 35)

    After:
        %b.merged_1x1 = Conv2d(%x) {out_channels=160, kernel_size=1x1} : (N, 160, 35, 35)
        %b.one.conv = Slice(%b.merged_1x1) {start=0, stop=96} : (N, 96, 35, 35)
        %b.two.conv = Slice(%b.merged_1x1) {start=96, stop=160} : (N, 64, 35, 35)
    """
    rewrite = Rewrite(graph)
    position = {name: at for at, name in enumerate(graph.nodes)}
    for group in _sibling_groups(graph):
        region = _common_region(graph, [graph.around[n.name] for n in group])
        member = _member(graph, region, group[0])
        first = graph.nodes_in(member)[0].name
        if position[group[0].inputs[0]] < position[first]:
            name = rewrite.fresh(_merged_name(_scope(graph, region), group[0]))
            _merge(rewrite, sorted(group, key=lambda n: not _activated(graph, n)), name)
            rewrite.insert(_merged_node(group, name), region, member)
    return rewrite.finish()


def _sibling_groups(graph: Graph) -> Iterator[list[Node]]:
    shared = shared_nodes(graph)
    groups: dict[object, list[Node]] = defaultdict(list)
    for node in graph.nodes.values():
        if isinstance(node.op, Conv2d) and node.op.groups == 1 and node.name not in shared:
            groups[_window(node, node.op)].append(node)
    yield from (group for group in groups.values() if len(group) > 1)


_ANY_SIZE = Shape((None, letter("H"), letter("W")))


def _window(node: Node, op: Conv2d) -> object:
    """Return what siblings have in common: the same window at every size of the input."""
    try:
        pads: object = op.pads(_ANY_SIZE)
    except ValueError:  # strided `same` depends on the size: only equal to itself
        pads = op.padding
    return node.inputs, op.kernel_size, op.stride, pads, op.dilation


def _activated(graph: Graph, node: Node) -> bool:
    reader = sole_reader(graph, node.name)
    return reader is not None and isinstance(reader.op, Activation)


def _common_region(graph: Graph, chains: list[tuple[str, ...]]) -> str:
    """Return the innermost region that encloses all nodes and may have a node of its own."""
    others = [set(chain) for chain in chains[1:]]
    for name in chains[0]:
        structured = graph.regions[name].kind in _STRUCTURED
        if not structured and all(name in chain for chain in others):
            return name
    return ""


def _member(graph: Graph, region: str, node: Node) -> str:
    """Return the member of `region` that is `node` or holds it."""
    chain = graph.around[node.name]
    at = chain.index(region)
    return chain[at - 1] if at else node.name


def _scope(graph: Graph, region: str) -> str:
    """Return the region whose name is the prefix of what is in `region`."""
    while graph.regions[region].transparent:
        region = graph.regions[region].parent or ""
    return region


def _merged_name(region: str, node: Node) -> str:
    assert isinstance(node.op, Conv2d)
    height, width = node.op.kernel_size
    return f"{region}.merged_{height}x{width}".lstrip(".")


def _merged_node(group: list[Node], name: str) -> Node:
    first = group[0]
    assert isinstance(first.op, Conv2d)
    channels = sum(op.out_channels for op in _ops(group))
    bias = any(op.bias for op in _ops(group))
    op = replace(first.op, out_channels=channels, bias=bias)
    return Node(name, op, first.inputs, Shape((channels, *first.shape.grid)))


def _ops(group: list[Node]) -> list[Conv2d]:
    return [node.op for node in group if isinstance(node.op, Conv2d)]


def _merge(rewrite: Rewrite, group: list[Node], name: str) -> None:
    start = 0
    for node, op in zip(group, _ops(group), strict=True):
        stop = start + op.out_channels
        rewrite.set(replace(node, op=Slice(start, stop), inputs=(name,), traced={}))
        start = stop
    has_bias = any(op.bias for op in _ops(group))
    for part in ("weight", "bias") if has_bias else ("weight",):
        parts = tuple(parameter(rewrite.graph, node, part) for node in group)
        rewrite.derive(f"{name}.{part}", Stacked(parts))
