"""Fold a constant factor into the linear convolution before it."""

from __future__ import annotations

from compiler.graph import Graph, Node, Scaled
from compiler.ops import Conv2d, Linear, Scale
from compiler.passes.rewrite import Rewrite, followers, parameter, shared_nodes


def fold_scale(graph: Graph) -> Graph:
    """Fold a constant factor into the linear convolution before it: residual scaling.

    Precondition: nothing but the scale reads the convolution (or linear layer), and its
    parameters are not shared. Numbers: equal up to rounding, within 1e-6 of the largest
    output in float32. Not training-safe: the step that an optimiser takes would be scaled.

    Before:
        %c = Conv2d(%concat) {out_channels=384, kernel_size=1x1, bias=true} : (N, 384, 35, 35)
        %scale = Scale(%c) {factor=0.17} : (N, 384, 35, 35)
        %add = Add(%x, %scale) : (N, 384, 35, 35)

    After:
        %c = Conv2d(%concat) {out_channels=384, kernel_size=1x1, bias=true} : (N, 384, 35, 35)
        %add = Add(%x, %c) : (N, 384, 35, 35)
    """
    rewrite = Rewrite(graph)
    shared = shared_nodes(graph)
    for node in graph.nodes.values():
        if isinstance(node.op, Conv2d | Linear) and node.name not in shared:
            _fold(rewrite, node, list(followers(graph, node, Scale)))
    return rewrite.finish()


def _fold(rewrite: Rewrite, node: Node, scales: list[Node]) -> None:
    parts = ("weight", "bias") if getattr(node.op, "bias", False) else ("weight",)
    for part in parts if scales else ():
        value = parameter(rewrite.graph, node, part)
        for scale in scales:
            assert isinstance(scale.op, Scale)
            value = Scaled(value, scale.op.factor)
        rewrite.derive(f"{node.name}.{part}", value)
    for scale in scales:
        rewrite.drop(scale.name, node.name)
