"""Small random specs for the laws of passes, and weights that keep their signal alive."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
import yaml
from hypothesis import strategies as st
from torch import Tensor

from compiler.graph import Graph
from compiler.ops import BatchNorm
from compiler.pipeline import load_graph

Layer = dict[str, Any]


@st.composite
def convs(draw: st.DrawFn) -> Layer:
    """Draw a convolution that keeps the grid."""
    layer: Layer = {
        "conv": draw(st.sampled_from(["1x1", "3x3", "1x3", "3x1"])),
        "filters": draw(st.integers(1, 6)),
        "norm": draw(st.sampled_from(["batch_norm", "none"])),
        "activation": draw(st.sampled_from(["relu", "none", "silu"])),
    }
    return layer


@st.composite
def plain_layers(draw: st.DrawFn) -> Layer:
    """Draw any layer that keeps the grid."""
    others = [
        {"avg_pool": "3x3"},
        {"avg_pool": "3x3", "count_include_pad": True},
        {"max_pool": "3x3"},
        {"max_pool": "1x1"},
        {"scale": 0.5},
        {"scale": 1.0},
        {"batch_norm": True},
        {"batch_norm": True, "scale": False},
        {"batch_norm": True, "shift": False},
        {"dropout": {"keep": 0.5}},
        {"identity": True},
    ]
    return draw(st.one_of(convs(), st.sampled_from(others)))


def chains(most: int) -> st.SearchStrategy[list[Layer]]:
    """Return a strategy for chains of plain layers."""
    return st.lists(plain_layers(), min_size=0, max_size=most)


@st.composite
def blocks(draw: st.DrawFn, channels: int) -> Layer:
    """Draw branches that end in a concat, or a residual block, on so many channels."""
    if draw(st.booleans()):
        named = {f"b{i}": draw(chains(3)) for i in range(draw(st.integers(2, 4)))}
        return {"branches": named, "join": "concat"}
    last = {"conv": "1x1", "filters": channels, "norm": "none", "activation": "none"}
    body = [*draw(chains(2)), last]
    return {"residual": {"body": body, "scale": 0.17, "activation": "relu"}}


def channels_after(layers: list[Layer], channels: int) -> int:
    """Return the channels that leave a chain of layers."""
    for layer in layers:
        if "branches" in layer:
            channels = sum(channels_after(b, channels) for b in layer["branches"].values())
        channels = layer.get("filters", channels)
    return channels


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a network: an opening convolution, layers and blocks, perhaps a head."""
    layers: list[Layer] = [{"conv": "3x3", "filters": 5}]
    for _ in range(draw(st.integers(1, 3))):
        block = blocks(channels_after(layers, 3))
        layer = draw(st.one_of(plain_layers(), block, block))
        layers.append({**layer, "name": f"part_{len(layers)}"})
    if draw(st.booleans()):
        layers += [{"global_avg_pool": True}, {"dropout": {"keep": 0.5}}, {"linear": 4}]
    norm = {"scale": draw(st.booleans()), "shift": draw(st.booleans())}
    return {
        "network": "random",
        "input": {"image": [3, 7, 6]},
        "defaults": {"conv": {"norm": "batch_norm", "activation": "relu"}, "batch_norm": norm},
        "layers": layers,
    }


def graph_of(spec: dict[str, Any] | str) -> Graph:
    """Return the graph of a spec that is given as data or text."""
    text = spec if isinstance(spec, str) else yaml.safe_dump(spec, sort_keys=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "random.yaml")
        path.write_text(text)
        return load_graph(path)


def random_state(graph: Graph, seed: int = 0) -> dict[str, Tensor]:
    """Return float64 parameters, none of them 0 or 1, that keep activations near unit scale."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*size: int) -> Tensor:
        return torch.randn(size, generator=generator, dtype=torch.float64)

    state: dict[str, Tensor] = {}
    for node in graph.nodes.values():
        if node.share or not node.op.parameter_names:
            continue
        channels, out = graph.input_shapes(node)[0].channels, node.shape.channels
        assert isinstance(channels, int)
        assert isinstance(out, int)
        for part in node.op.parameter_names:
            name = f"{node.name}.{part}"
            if isinstance(node.op, BatchNorm):
                spread = normal(out).abs() + 0.5
                state[name] = spread if part in ("weight", "running_var") else normal(out) * 0.3
            elif part == "bias":
                state[name] = normal(out) * 0.3
            else:
                kernel = getattr(node.op, "kernel_size", ())
                channels //= getattr(node.op, "groups", 1)
                weight = normal(out, channels, *kernel)
                state[name] = weight * (2 / weight[0].numel()) ** 0.5
    return state
