"""Random weights and statistics that keep activations near unit scale, for honest comparisons.

A fresh network is a poor witness: with running statistics of 0 and 1 the signal can die before
the head, and then every output is the bias and two different networks agree.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SHARE = 0.15
"""How much of a channel's mean the norms take away.

All of it, with a variance per channel, would make rounding grow by a factor of 1e6 through the
150 layers of Inception-v4 on small maps; nothing of it would make all samples look alike.
"""
BOUNDS = (0.02, 50.0)
"""Smallest and largest standard deviation that still counts as unit scale."""


def randomize(module: nn.Module, seed: int = 0, *example: Tensor) -> None:
    """Draw every parameter and every running statistic anew, so that nothing is 0, 1 or equal.

    Weights are N(0, 2 / fan_in) (1 / fan_in for linear layers), biases and shifts N(0, 0.1),
    batch-norm gains U(0.8, 1.2). With an `example`, running statistics bring its output to
    unit scale, layer by layer, and differ by channel; without one they are drawn near 0 and 1.

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
            _measure(module, example, generator)


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


def check_telling(output: Tensor, what: str = "the output") -> None:
    """Refuse an output of any scale that would make a relative comparison vacuous.

    Raises:
        ValueError: it is not finite, all alike, or the same for the samples of the batch.
    """
    spread = float(output.detach().double().std())
    if spread > 0:
        output = output / spread
    check_unit_scale(output, what)


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


def _measure(module: nn.Module, example: tuple[Tensor, ...], generator: torch.Generator) -> None:
    """Set running statistics from one forward pass in evaluation mode.

    Every norm takes its statistics from what reaches it just before it uses them, so that later
    layers are measured on what they will see.
    """
    modes = {layer: layer.training for layer in module.modules()}
    seen: set[nn.Module] = set()

    def measure(norm: nn.Module, args: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d))
        if norm not in seen:  # a shared layer keeps the statistics of its first use
            seen.add(norm)
            _set_statistics(norm, args[0], generator)

    norms = [m for m in module.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]
    hooks = [norm.register_forward_pre_hook(measure) for norm in norms]
    module.eval()
    module(*example)
    for hook in hooks:
        hook.remove()
    for layer, was_training in modes.items():
        layer.training = was_training


def _set_statistics(
    norm: nn.BatchNorm1d | nn.BatchNorm2d, x: Tensor, generator: torch.Generator
) -> None:
    if norm.running_mean is None or norm.running_var is None:
        return
    dims = [d for d in range(x.dim()) if d != 1]
    mean, square = x.mean(dims), x.square().mean(dims)
    # One scale for the layer: a channel that is nearly dead on the example stays so.
    variance = square.mean().clamp_min(1e-6)
    factor = torch.rand(mean.shape, generator=generator).to(mean) * 0.2 + 0.9
    noise = torch.randn(mean.shape, generator=generator).to(mean) * 0.05
    norm.running_var.copy_(variance * factor)
    norm.running_mean.copy_(SHARE * mean + noise * variance.sqrt())
