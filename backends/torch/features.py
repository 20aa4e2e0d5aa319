"""Feature extraction in timm's convention: one map per reduction, and what each one is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from backends.torch.module import build_from_source, lend
from backends.torch.source import emit_source
from compiler.graph import Graph, Node
from compiler.leaving import needed
from compiler.ops import AvgPool2d, Conv2d, MaxPool2d, Upsample


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature map: its channels, how much smaller it is than the input, and its name."""

    num_chs: int
    reduction: int
    module: str


def feature_maps(graph: Graph) -> tuple[Feature, ...]:
    """Return the last map of the trunk at every reduction, the finest first.

    The trunk is what every path from the input to the first output passes through. The
    reduction is the product of the strides on the way, so a valid convolution that trims the
    border is no reduction: 149 and 147 of 299 are both reduction 2.
    """
    trunk = _trunk(graph)
    reductions = _reductions(graph)
    last: dict[int, Node] = {}
    for node in trunk:
        if len(node.shape) == 3 and node.inputs:
            last[reductions[node.name]] = node
    return tuple(
        Feature(int(node.shape.channels or 0), reduction, _widest_name(graph, node))  # type: ignore[arg-type]
        for reduction, node in sorted(last.items())
        if reduction > 1
    )


def build_features(
    graph: Graph, *, seed: int = 0, device: torch.device | str | None = None
) -> nn.Module:
    """Return a module whose `forward` gives the list of feature maps, without the head.

    `module.feature_info` lists `{"num_chs", "reduction", "module"}` for each of them, as timm's
    `features_only=True` does; `module` is the spec's name. Weights have the names of the whole
    network's `state_dict`.
    """
    features = feature_maps(graph)
    source = emit_source(graph, taps=[f.module for f in features], features=True)
    model = build_from_source(graph, source, seed, device)
    info = [{"num_chs": f.num_chs, "reduction": f.reduction, "module": f.module} for f in features]
    lend(model, "feature_info", info)
    return model


def _trunk(graph: Graph) -> list[Node]:
    """Return the nodes that every path to the first output passes through, in order.

    Walking in execution order, a node is on the trunk when no edge jumps over it: when nothing
    before it is still waiting for a reader behind it.
    """
    wanted = needed(graph, [graph.outputs[0].node])
    order = [n for n in graph.nodes.values() if n.name in wanted]
    place = {n.name: i for i, n in enumerate(order)}
    reach = 0
    out: list[Node] = []
    for i, node in enumerate(order):
        if reach <= i:
            out.append(node)
        readers = [place[r] for r in graph.consumers[node.name] if r in place]
        reach = max([reach, *readers])
    return out


def _reductions(graph: Graph) -> dict[str, int]:
    """Return node -> how many input pixels one step on its grid is."""
    out: dict[str, int] = {}
    for node in graph.nodes.values():
        before = max((out[i] for i in node.inputs), default=1)
        if isinstance(node.op, (Conv2d, MaxPool2d, AvgPool2d)):
            before *= max(node.op.stride)
        elif isinstance(node.op, Upsample):
            before = max(1, before // node.op.factor)
        out[node.name] = before
    return out


def _widest_name(graph: Graph, node: Node) -> str:
    """Return the name of the widest stretch of the spec that ends in a node."""
    named = [
        r.name
        for r in graph.regions.values()
        if r.name and not r.transparent and r.output == node.name and r.members
    ]
    return min([*named, node.name], key=len)
