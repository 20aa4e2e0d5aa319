"""Move a 1x1 convolution in front of the average pooling that it reads."""

from __future__ import annotations

from dataclasses import replace

from compiler.graph import Graph, Node
from compiler.ops import AvgPool2d, Conv2d
from compiler.passes.rewrite import Rewrite, shared_nodes, sole_reader


def exchange_pool_projection(graph: Graph) -> Graph:
    """Move a 1x1 convolution in front of the average pooling that it reads.

    Both are linear, and a mean over real pixels keeps a constant bias, so they commute; the
    pooling then works on fewer channels and the convolution becomes a sibling of the block's
    other openings. Precondition: nothing else reads the pooling; stride 1; a convolution of
    no more output than input channels whose weights are not shared; and, where the
    convolution has a bias, no padding that counts in the mean.
    Numbers: equal up to rounding, within 1e-6 of the largest output in float32.
    Training-safe: values and gradients are the same.

    Before:
        %pool.avg_pool = AvgPool2d(%x) {kernel_size=3x3} : (N, 384, 35, 35)
        %pool.conv_1x1.conv = Conv2d(%pool.avg_pool) {out_channels=96} : (N, 96, 35, 35)

    After:
        %pool.conv_1x1.conv = Conv2d(%x) {out_channels=96} : (N, 96, 35, 35)
        %pool.avg_pool = AvgPool2d(%pool.conv_1x1.conv) {kernel_size=3x3} : (N, 96, 35, 35)
    """
    before = None
    while graph is not before:  # past several poolings in a row, one a sweep
        before, graph = graph, _sweep(graph)
    return graph


def _sweep(graph: Graph) -> Graph:
    """Exchange every pooling with the convolution that reads it now."""
    rewrite = Rewrite(graph)
    fixed = set(shared_nodes(graph))
    for pool in graph.nodes.values():
        conv = sole_reader(graph, pool.name) if isinstance(pool.op, AvgPool2d) else None
        if conv is None or {pool.inputs[0], conv.name} & fixed:
            continue
        inside = graph.around[pool.name][0] in graph.around[conv.name]
        if inside and _commute(graph, pool, conv):
            source = pool.inputs[0]
            rewrite.set(replace(conv, inputs=(source,)))  # stays: its parameters keep their names
            moved = replace(pool, inputs=(conv.name,), shape=conv.shape)
            rewrite.move_after(moved, graph.around[conv.name][0], conv.name)
            rewrite.redirect(conv.name, pool.name)
            fixed.add(conv.name)
    return rewrite.finish()


def _commute(graph: Graph, pool: Node, conv: Node) -> bool:
    if not isinstance(conv.op, Conv2d) or not isinstance(pool.op, AvgPool2d):
        return False
    pointwise = conv.op.kernel_size == conv.op.stride == (1, 1)
    keeps_grid = pool.op.stride == (1, 1) and conv.shape.grid == pool.shape.grid
    channels = graph.input_shapes(pool)[0].channels
    narrows = isinstance(channels, int) and conv.op.out_channels <= channels
    return pointwise and keeps_grid and narrows and _keeps_constants(graph, pool, conv.op)


def _keeps_constants(graph: Graph, pool: Node, conv: Conv2d) -> bool:
    assert isinstance(pool.op, AvgPool2d)
    if not conv.bias or not pool.op.count_include_pad:
        return True
    pads = pool.op.pads(graph.input_shapes(pool)[0])
    return not any(map(any, pads))
