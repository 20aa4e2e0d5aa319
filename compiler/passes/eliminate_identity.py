"""Take out the nodes that pass their input on unchanged."""

from __future__ import annotations

from compiler.graph import Graph
from compiler.passes.rewrite import Rewrite


def eliminate_identity(graph: Graph) -> Graph:
    """Take out the nodes that pass their input on unchanged.

    Precondition: none. Applies to identities, a scale of 1, a drop of 0, joins of one operand,
    1x1 pooling of stride 1, a slice of everything, flattening a vector, upsampling by 1:
    what an operation says of itself (`is_identity`).
    Numbers: bit for bit the same. Training-safe.

    Before:
        %a = Scale(%x) {factor=1} : (N, 8, 5, 5)
        %b = ReLU(%a) : (N, 8, 5, 5)

    After:
        %b = ReLU(%x) : (N, 8, 5, 5)
    """
    rewrite = Rewrite(graph)
    for node in graph.nodes.values():
        if node.op.is_identity(*graph.input_shapes(node)):
            rewrite.drop(node.name, node.inputs[0])
    return rewrite.finish()
