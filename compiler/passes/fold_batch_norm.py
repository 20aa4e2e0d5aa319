"""Fold batch normalisation into the convolution or linear layer before it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from compiler.graph import Folded, Graph, Node
from compiler.ops import BatchNorm, Conv2d, Linear
from compiler.passes.rewrite import Rewrite, followers, parameter, shared_nodes

_Part = Literal["weight", "bias"]


def fold_batch_norm(graph: Graph) -> Graph:
    """Fold batch normalisation into the convolution or linear layer before it.

    Precondition: the graph is for inference; nothing but the normalisation reads the
    convolution, and its parameters are not shared. The convolution gets a bias.
    Numbers: equal up to rounding; with weights folded in float64, within 1e-5 of the largest
    output in float32 and 1e-12 in float64. Not training-safe.

    Before:
        %c.conv = Conv2d(%x) {out_channels=8, kernel_size=3x3, bias=false} : (N, 8, 5, 5)
        %c.norm = BatchNorm(%c.conv) {eps=0.001} : (N, 8, 5, 5)
        %c.act = ReLU(%c.norm) : (N, 8, 5, 5)

    After:
        %c.conv = Conv2d(%x) {out_channels=8, kernel_size=3x3, bias=true} : (N, 8, 5, 5)
        %c.act = ReLU(%c.conv) : (N, 8, 5, 5)
    """
    rewrite = Rewrite(graph)
    shared = shared_nodes(graph)
    for node in graph.nodes.values():
        if isinstance(node.op, Conv2d | Linear) and node.name not in shared:
            norms = list(followers(graph, node, BatchNorm))
            if norms:
                _fold(rewrite, node, norms)
    return rewrite.finish()


def _fold(rewrite: Rewrite, node: Node, norms: list[Node]) -> None:
    assert isinstance(node.op, Conv2d | Linear)
    rewrite.set(replace(node, op=replace(node.op, bias=True)))
    parts: tuple[_Part, _Part] = ("weight", "bias")
    for part in parts:
        value = parameter(rewrite.graph, node, part)
        for norm in norms:
            assert isinstance(norm.op, BatchNorm)
            prefix = norm.share or norm.name
            value = Folded(value, prefix, norm.op.eps, norm.op.learned, part)
        rewrite.derive(f"{node.name}.{part}", value)
    for norm in norms:
        rewrite.drop(norm.name, node.name)
