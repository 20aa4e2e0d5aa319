"""Random weights and statistics that keep activations near unit scale, for honest comparisons.

A fresh network is a poor witness: with running statistics of 0 and 1 the signal can die before
the head, and then every output is the bias and two different networks agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

BOUNDS = (0.02, 50.0)
"""Smallest and largest standard deviation that still counts as unit scale."""


def randomize(module: nn.Module, seed: int = 0, *example: Tensor) -> None:
    """Draw every parameter and every running statistic anew, so that nothing is 0, 1 or equal.

    Weights are N(0, 2 / fan_in) (1 / fan_in for linear layers), biases and shifts N(0, 0.1),
    batch-norm gains U(0.8, 1.2). With an `example`, running statistics are measured on it and
    then disturbed by a few per cent; without one they are drawn near 0 and 1.

    Args:
        module: changed in place; its training mode is kept.
        seed: the same seed gives the same numbers for the same names and shapes.
        example: an input batch (N, C, H, W), N >= 2, one tensor per input of the network.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, layer in sorted(module.named_modules()):
            _draw(layer, generator)
        if example:
            _measure(module, example)
            for norm in _norms(module):
                _disturb(norm, generator)


def check_unit_scale(output: Tensor, what: str = "the output") -> None:
    """Refuse an output that would make a comparison vacuous: dead, exploded, or all alike.

    Raises:
        ValueError: the standard deviation of `output` is outside `BOUNDS` or not finite, or
            the samples of the batch are equal.
    """
    values = output.detach().double()
    spread = float(values.std())
    if not BOUNDS[0] <= spread <= BOUNDS[1]:
        raise ValueError(f"{what} has a standard deviation of {spread:.3g}, not near 1")
    if len(values) > 1 and float((values[0] - values[1]).abs().max()) < BOUNDS[0] * spread:
        raise ValueError(f"{what} is the same for different samples")


def _draw(layer: nn.Module, generator: torch.Generator) -> None:
    for name, parameter in sorted(layer.named_parameters(recurse=False)):
        if parameter.dim() > 1:
            gain = 1.0 if isinstance(layer, nn.Linear) else 2.0
            fan_in = parameter[0].numel()
            _fill(parameter, 0.0, (gain / fan_in) ** 0.5, generator)
        elif name == "weight":
            _fill_uniform(parameter, 0.8, 1.2, generator)
        else:
            _fill(parameter, 0.0, 0.1, generator)
    for name, buffer in sorted(layer.named_buffers(recurse=False)):
        if name == "running_mean":
            _fill(buffer, 0.0, 0.1, generator)
        elif name == "running_var":
            _fill_uniform(buffer, 0.8, 1.2, generator)


def _fill(tensor: Tensor, mean: float, std: float, generator: torch.Generator) -> None:
    tensor.copy_(torch.randn(tensor.shape, generator=generator) * std + mean)


def _fill_uniform(tensor: Tensor, low: float, high: float, generator: torch.Generator) -> None:
    tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)


def _norms(module: nn.Module) -> Iterator[nn.BatchNorm1d | nn.BatchNorm2d]:
    for layer in module.modules():
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            yield layer


def _measure(module: nn.Module, example: tuple[Tensor, ...]) -> None:
    """Set running statistics to those of one batch; dropout is off meanwhile."""
    was_training = module.training
    with _momentum_of_one(module):
        module.train()
        for layer in module.modules():
            if isinstance(layer, nn.Dropout):
                layer.eval()
        module(*example)
    module.train(was_training)


@contextmanager
def _momentum_of_one(module: nn.Module) -> Iterator[None]:
    kept = [(norm, norm.momentum) for norm in _norms(module)]
    for norm, _ in kept:
        norm.momentum = 1.0
    yield
    for norm, momentum in kept:
        norm.momentum = momentum


def _disturb(norm: nn.BatchNorm1d | nn.BatchNorm2d, generator: torch.Generator) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = torch.rand(norm.running_var.shape, generator=generator).to(norm.running_var)
    norm.running_var.mul_(factor * 0.2 + 0.9)
    noise = torch.randn(norm.running_mean.shape, generator=generator).to(norm.running_mean)
    norm.running_mean.add_(noise * 0.05 * norm.running_var.sqrt())
