"""Take out the nodes that pass their input on unchanged."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.ops import (
    Add,
    AvgPool2d,
    Concat,
    Dropout,
    Flatten,
    Identity,
    MaxPool2d,
    Multiply,
    Scale,
    Slice,
    Upsample,
)
from compiler.passes.rewrite import Rewrite


def eliminate_identity(graph: Graph) -> Graph:
    """Take out the nodes that pass their input on unchanged.

    Precondition: none. Applies to identities, a scale of 1, a drop of 0, joins of one operand,
    1x1 pooling of stride 1, a slice of everything, flattening a vector, upsampling by 1.
    Numbers: bit for bit the same. Training-safe.

    Before:
        %a = Scale(%x) {factor=1} : (N, 8, 5, 5)
        %b = ReLU(%a) : (N, 8, 5, 5)

    After:
        %b = ReLU(%x) : (N, 8, 5, 5)
    """
    rewrite = Rewrite(graph)
    for node in graph.nodes.values():
        if _is_identity(graph, node):
            rewrite.drop(node.name, node.inputs[0])
    return rewrite.finish()


def _is_identity(graph: Graph, node: Node) -> bool:
    match node.op:
        case Identity() | Dropout(drop=0) | Scale(factor=1) | Upsample(factor=1):
            return True
        case Add() | Concat() | Multiply():
            return len(node.inputs) == 1
        case MaxPool2d() | AvgPool2d():
            window = (node.op.kernel_size, node.op.stride)
            return window == ((1, 1), (1, 1)) and node.shape == graph.input_shapes(node)[0]
        case Slice(start=0) | Flatten():
            return node.shape == graph.input_shapes(node)[0]
    return False
