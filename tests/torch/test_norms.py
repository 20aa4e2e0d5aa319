"""Norms beside torch's own: values, parameters, and what a spec's words mean."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.torch.export_program import export_program
from backends.torch.module import build_module
from compiler.pipeline import load_graph

SPEC = """
network: net
input: {{x: [6, 5, 7]}}
layers: [identity, {layer}]
"""


def built(folder: Path, layer: str) -> nn.Module:
    path = folder / "net.yaml"
    path.write_text(SPEC.format(layer=layer))
    module = build_module(load_graph(path), seed=None)
    for parameter in module.parameters():
        nn.init.uniform_(parameter, 0.5, 2)
    return module


def of_channels(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Compute it as torchvision's LayerNorm2d does."""
    x = F.layer_norm(x.permute(0, 2, 3, 1), (6,), weight, bias, eps)
    return x.permute(0, 3, 1, 2)


@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize(
    ("layer", "learned"),
    [
        ("{layer_norm: true, eps: 1e-6}", "weight bias"),
        ("{layer_norm: true, eps: 1e-6, scale: false}", "bias"),
        ("{layer_norm: true, eps: 1e-6, shift: false}", "weight"),
        ("{group_norm: 3, eps: 1e-6}", "weight bias"),
        ("{group_norm: 3, eps: 1e-6, scale: false, shift: false}", ""),
        ("{group_norm: 3, eps: 1e-6, scale: false}", "bias"),
        ("{instance_norm: true, eps: 1e-6}", ""),
        ("{instance_norm: true, eps: 1e-6, shift: true}", "bias"),
        ("{instance_norm: true, eps: 1e-6, scale: true, shift: true}", "weight bias"),
    ],
)
def test_values_are_those_of_torch(
    tmp_path: Path, layer: str, learned: str, is_training: bool
) -> None:
    module = built(tmp_path, layer).train(is_training)
    names = {name.split(".")[-1]: p for name, p in module.named_parameters()}
    weight, bias = names.get("weight"), names.get("bias")
    x = torch.randn(2, 6, 5, 7)
    want = {
        "layer_norm": lambda: of_channels(x, weight, bias, 1e-6),
        "group_norm": lambda: F.group_norm(x, 3, weight, bias, 1e-6),
        "instance_norm": lambda: F.instance_norm(x, weight=weight, bias=bias, eps=1e-6),
    }[layer[1:].partition(":")[0]]()
    assert " ".join(sorted(names, reverse=True)) == learned
    torch.testing.assert_close(module(x), want)


def test_ones_of_a_fresh_norm(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC.format(layer="{layer_norm: true}"))
    state = build_module(load_graph(path)).state_dict()
    assert {k: v.tolist() for k, v in state.items()} == {
        "layer_norm.weight": [1.0] * 6,
        "layer_norm.bias": [0.0] * 6,
    }


def test_program_takes_one_image(tmp_path: Path) -> None:
    """A convolution behind turned strides made torch.export demand two or more."""
    path = tmp_path / "net.yaml"
    path.write_text(SPEC.format(layer="layer_norm, {conv: 1x1, filters: 3}"))
    graph = load_graph(path)
    module = build_module(graph)
    program = export_program(graph, module).module()
    x = torch.randn(1, 6, 5, 7)
    torch.testing.assert_close(program(x), module.eval()(x))
