"""Take out the nodes that no output depends on."""

from __future__ import annotations

from compiler.graph import Graph
from compiler.passes.rewrite import Rewrite


def eliminate_dead_nodes(graph: Graph) -> Graph:
    """Take out the nodes that no output depends on.

    Precondition: none. Inputs of the network stay, and so does a node whose parameters a live
    node shares. Numbers: bit for bit the same. Training-safe.

    Before:
        %a = Conv2d(%x) {out_channels=8, kernel_size=1x1} : (N, 8, 5, 5)
        %b = MaxPool2d(%x) {kernel_size=3x3} : (N, 3, 5, 5)
        return %a

    After:
        %a = Conv2d(%x) {out_channels=8, kernel_size=1x1} : (N, 8, 5, 5)
        return %a
    """
    live = _live(graph)
    rewrite = Rewrite(graph)
    for name in graph.nodes:
        if name not in live:
            rewrite.drop(name, None)
    return rewrite.finish()


def _live(graph: Graph) -> set[str]:
    live = set(graph.inputs)
    stack = [output.node for output in graph.outputs]
    while stack:
        name = stack.pop()
        if name in live:
            continue
        live.add(name)
        node = graph.nodes[name]
        stack.extend(node.inputs)
        if node.share:
            stack.append(node.share)
    return live
