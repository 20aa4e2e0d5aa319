"""First weights: He's initialisation, each layer from a seed of its own."""

from __future__ import annotations

import math
import zlib
from collections.abc import Container

import torch
from torch import nn

TRUNCATION = 0.87962566103423978
"""Standard deviation of a unit normal cut at two deviations, which is divided out."""

DRAWN = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
"""Layers whose weights are drawn."""


def initialize(model: nn.Module, seed: int = 0, loaded: Container[str] = ()) -> None:
    """Draw the weights of every convolution and linear layer; zero their biases.

    Weights are a normal of variance `2 / fan_in` cut at two standard deviations: He et al.,
    "Delving Deep into Rectifiers" (arXiv 1502.01852), in the truncated form that the authors'
    code uses (tf-slim `variance_scaling_initializer`, the default of `inception_arg_scope`).
    In a transposed convolution a number of the output is a sum over every stride-th pixel of a
    filter: its fan-in is that of the filter divided by the stride, along both axes. Batch norms
    keep a gain of 1, a shift of 0 and fresh statistics.

    A layer's numbers depend on `seed` and on its own name, so a layer that is added or removed
    changes no other one. The parameters named in `loaded` stay as they are.
    """
    with torch.no_grad():
        for name, layer in model.named_modules():
            if isinstance(layer, DRAWN) and not layer.weight.is_meta:
                if f"{name}.weight" not in loaded:
                    _draw(layer, name, seed)
                if layer.bias is not None and f"{name}.bias" not in loaded:
                    layer.bias.zero_()


def _draw(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear, name: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}:{name}".encode()))
    fan_in: float = layer.weight[0].numel()
    if isinstance(layer, nn.ConvTranspose2d):
        reads = layer.weight[:, 0].numel() // layer.groups
        fan_in = reads / math.prod(layer.stride)
    std = math.sqrt(2 / fan_in) / TRUNCATION
    weight = torch.empty(layer.weight.shape)
    nn.init.trunc_normal_(weight, 0.0, std, -2 * std, 2 * std, generator=generator)
    layer.weight.copy_(weight)
