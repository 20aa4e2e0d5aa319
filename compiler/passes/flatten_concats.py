"""Join the operands of a concat that only another concat reads into that one."""

from __future__ import annotations

from dataclasses import replace

from compiler.graph import Graph, Node
from compiler.ops import Concat
from compiler.passes.rewrite import Rewrite, sole_reader


def flatten_concats(graph: Graph) -> Graph:
    """Join the operands of a concat that only another concat reads into that one.

    Saves writing and reading the inner tensor. Precondition: nothing but a concat of the same
    region reads the inner one, and reads it once (a region has one output). Numbers: bit for
    bit the same. Training-safe.

    Before:
        %inner = Concat(%a, %b) : (N, 16, 5, 5)
        %outer = Concat(%inner, %c) : (N, 24, 5, 5)

    After:
        %outer = Concat(%a, %b, %c) : (N, 24, 5, 5)
    """
    rewrite = Rewrite(graph)
    inner = _inner_concats(graph)
    for node in graph.nodes.values():
        if node.name in inner:
            rewrite.drop(node.name, None)
        elif inner.intersection(node.inputs):
            rewrite.set(replace(node, inputs=_leaves(graph, node, inner)))
    return rewrite.finish()


def _inner_concats(graph: Graph) -> frozenset[str]:
    found = []
    for node in graph.nodes.values():
        reader = sole_reader(graph, node.name) if isinstance(node.op, Concat) else None
        if reader is not None and isinstance(reader.op, Concat):
            found.append((node.name, graph.around[node.name][0] == graph.around[reader.name][0]))
    return frozenset(name for name, same_region in found if same_region)


def _leaves(graph: Graph, node: Node, inner: frozenset[str]) -> tuple[str, ...]:
    out: list[str] = []
    stack = list(reversed(node.inputs))
    while stack:
        name = stack.pop()
        if name in inner:
            stack.extend(reversed(graph.nodes[name].inputs))
        else:
            out.append(name)
    return tuple(out)
