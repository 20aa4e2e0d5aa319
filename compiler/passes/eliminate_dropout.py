"""Take out dropout, which does nothing in inference."""

from __future__ import annotations

from compiler.graph import Graph
from compiler.ops import Dropout
from compiler.passes.rewrite import Rewrite


def eliminate_dropout(graph: Graph) -> Graph:
    """Take out dropout, which does nothing in inference.

    Precondition: the graph is for inference. Numbers: bit for bit the same.
    Not training-safe.

    Before:
        %dropout = Dropout(%pool) {drop=0.2} : (N, 1536)
        %logits = Linear(%dropout) {out_features=1000} : (N, 1000)

    After:
        %logits = Linear(%pool) {out_features=1000} : (N, 1000)
    """
    rewrite = Rewrite(graph)
    for node in graph.nodes.values():
        if isinstance(node.op, Dropout):
            rewrite.drop(node.name, node.inputs[0])
    return rewrite.finish()
