"""Apply an activation once to a tensor instead of once to each of its slices."""

from __future__ import annotations

from dataclasses import replace

from compiler.graph import Graph, Node
from compiler.ops import Activation, Slice
from compiler.passes.rewrite import Rewrite, sole_reader


def hoist_activation(graph: Graph) -> Graph:
    """Apply an activation once to a tensor instead of once to each of its slices.

    After `merge_siblings` the activation follows the merged convolution directly, so that a
    target can compute it in the same loop. Precondition: only slices read the tensor, the
    same activation is the only consumer of each of them, and none of them is an output.
    Numbers: bit for bit the same. Training-safe.

    Before:
        %one.conv = Slice(%merged) {start=0, stop=96} : (N, 96, 35, 35)
        %one.act = ReLU(%one.conv) : (N, 96, 35, 35)
        %two.conv = Slice(%merged) {start=96, stop=160} : (N, 64, 35, 35)
        %two.act = ReLU(%two.conv) : (N, 64, 35, 35)

    After:
        %merged_relu = ReLU(%merged) : (N, 160, 35, 35)
        %one.act = Slice(%merged_relu) {start=0, stop=96} : (N, 96, 35, 35)
        %two.act = Slice(%merged_relu) {start=96, stop=160} : (N, 64, 35, 35)
    """
    rewrite = Rewrite(graph)
    for node in graph.nodes.values():
        acts = _common_activation(graph, node)
        if acts:
            _hoist(rewrite, node, acts, graph.around[node.name][0])
    return rewrite.finish()


def _common_activation(graph: Graph, node: Node) -> list[Node]:
    """Return the activations of the slices of `node`, one each, or nothing."""
    slices = [graph.nodes[name] for name in graph.consumers[node.name]]
    left = any(output.node == node.name for output in graph.outputs)
    if left or not slices or not all(isinstance(s.op, Slice) for s in slices):
        return []
    readers = [sole_reader(graph, s.name) for s in slices]
    acts = [r for r in readers if r is not None and isinstance(r.op, Activation)]
    return acts if len(acts) == len(slices) and len({act.op for act in acts}) == 1 else []


def _hoist(rewrite: Rewrite, node: Node, acts: list[Node], region: str) -> None:
    graph = rewrite.graph
    op = acts[0].op
    assert isinstance(op, Activation)
    hoisted = replace(
        acts[0],
        name=rewrite.fresh(f"{node.name}_{op.function}"),
        inputs=(node.name,),
        shape=node.shape,
    )
    rewrite.insert_after(hoisted, region, node.name)
    for act in acts:
        piece = graph.nodes[act.inputs[0]]
        rewrite.set(replace(act, op=piece.op, inputs=(hoisted.name,), traced={}))
        rewrite.drop(piece.name, None)
