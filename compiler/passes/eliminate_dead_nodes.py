"""Take out the nodes that no output depends on."""

from __future__ import annotations

from dataclasses import replace

from compiler.graph import Graph, Read
from compiler.passes.outputs import keep_only


def eliminate_dead_nodes(graph: Graph) -> Graph:
    """Take out the nodes that no output depends on.

    Precondition: none. Inputs of the network stay. Where a node that goes owns parameters, the
    first live node that shares them owns them from then on, and its derivations read the old ones.
    Numbers: bit for bit the same. Training-safe.

    Before:
        %a = Conv2d(%x) {out_channels=8, kernel_size=1x1} : (N, 8, 5, 5)
        %b = MaxPool2d(%x) {kernel_size=3x3} : (N, 3, 5, 5)
        return %a

    After:
        %a = Conv2d(%x) {out_channels=8, kernel_size=1x1} : (N, 8, 5, 5)
        return %a
    """
    kept = keep_only(graph, (output.node for output in graph.outputs))
    derivations = dict(kept.derivations)
    for node in kept.nodes.values():
        owner = graph.nodes[node.name].share
        if owner is not None and node.share is None:
            for part in node.op.parameter_names:
                read = f"{owner}.{part}"
                derivations[f"{node.name}.{part}"] = graph.derivations.get(read, Read(read))
    return kept if derivations == kept.derivations else replace(kept, derivations=derivations)
