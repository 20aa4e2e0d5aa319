"""Batch normalisation with its ReLU, forward and backward, on tensors of the caller's.

The arithmetic is float32 with the statistics merged in float64. Inputs, outputs and their gradients
are float32 or bfloat16, channels last; weights, statistics and their gradients float32.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import torch
from torch import Tensor

from backends.native import steps as c
from backends.native.compiled_library import load_library
from backends.native.convolution import on_pixels

_MOST_PIXELS = 512
"""Of one part: so few that its sums in float32 stay exact to 1e-5 of the deviation."""
_PARTS_PER_THREAD = 4
_LANES = 16
"""Channels come in multiples of this: whole vectors on every processor."""

_FORWARD = ("norm_statistics", "norm_line", "norm_output")
_BACKWARD = ("norm_sums", "norm_plane", "norm_gradient")


@dataclass(frozen=True)
class Statistics:
    """What `forward` learns of a batch and `backward` needs: each row one number per channel."""

    rows: Tensor
    """(4, C): mean, inverse of the deviation, and factor and shift of `y = factor x + shift`."""
    relu: bool

    @property
    def addresses(self) -> tuple[int, int, int, int]:
        """Where the four rows lie."""
        start, step = self.rows.data_ptr(), 4 * self.rows.shape[1]
        return start, start + step, start + 2 * step, start + 3 * step


def may_normalize(x: Tensor) -> bool:
    """Say whether an input fits: on the CPU, channels last in whole vectors, two values or more."""
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.bfloat16)
        and x.dim() == 4
        and x.shape[1] % _LANES == 0
        and x.stride(1) == 1
        and x.numel() > x.shape[1] > 0
    )


def forward(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    running: tuple[Tensor, Tensor],
    *,
    momentum: float,
    epsilon: float,
    relu: bool,
) -> tuple[Tensor, Statistics]:
    """Normalise a batch (N, C, H, W) by its own statistics; the running ones move towards them.

    Args:
        x: the input; see `may_normalize`.
        weight: (C,).
        bias: (C,).
        running: running mean and variance, (C,) each, changed in place.
        momentum: how far the running statistics move.
        epsilon: what is added to the variance.
        relu: whether the ReLU of the result is wanted.
    """
    x, stride = on_pixels(x)
    channels = x.shape[1]
    out = torch.empty(x.shape, dtype=x.dtype, memory_format=torch.channels_last)
    statistics = Statistics(torch.empty(4, channels), relu)
    args, parts = _arguments(x, stride, statistics)
    args.out, args.out_stride = out.data_ptr(), channels
    args.weight, args.bias = weight.data_ptr(), bias.data_ptr()
    args.running_mean, args.running_variance = (tensor.data_ptr() for tensor in running)
    args.momentum, args.epsilon = momentum, epsilon
    _run(_FORWARD, args, parts)
    return out, statistics


def backward(
    x: Tensor, gradient: Tensor, statistics: Statistics, out: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of x, weight and bias, from x and the gradient of the output.

    Args:
        x: what `forward` was given.
        gradient: of its output.
        statistics: what it returned.
        out: where the gradient of x goes: channels last, or a slice of such a tensor.
    """
    x, stride = on_pixels(x)
    gradient, gradient_stride = on_pixels(gradient.to(x.dtype))
    if out is None:
        out = torch.empty(x.shape, dtype=x.dtype, memory_format=torch.channels_last)
    for_weight, for_bias = torch.empty(2, x.shape[1])
    args, parts = _arguments(x, stride, statistics)
    args.gradient, args.gradient_stride = gradient.data_ptr(), gradient_stride
    args.out, args.out_stride = out.data_ptr(), on_pixels(out)[1]
    args.for_weight, args.for_bias = for_weight.data_ptr(), for_bias.data_ptr()
    _run(_BACKWARD, args, parts)
    return out, for_weight, for_bias


def _arguments(x: Tensor, stride: int, statistics: Statistics) -> tuple[c.Norm, Tensor]:
    """Return the arguments that both passes have, and memory for the sums of the parts."""
    batch, channels, height, width = x.shape
    pixels = batch * height * width
    # Parts are summed in float32 and merged in float64 (Chan, Golub and LeVeque): short ones for
    # accuracy, several per thread for balance.
    chunk = min(_MOST_PIXELS, -(-pixels // (_PARTS_PER_THREAD * torch.get_num_threads())))
    parts = torch.empty(-(-pixels // chunk), 2, channels)
    args = c.Norm(in_=x.data_ptr(), in_stride=stride, pixels=pixels, chunk=chunk, channels=channels)
    args.is_rounded = x.dtype == torch.bfloat16
    # ReLU is a clamp at 0, its absence a clamp at -inf: one kernel for both.
    args.floor = 0.0 if statistics.relu else -float("inf")
    args.mean, args.inverse, args.factor, args.shift = statistics.addresses
    return args, parts


def _run(kinds: tuple[str, ...], args: c.Norm, parts: Tensor) -> None:
    args.parts = parts.data_ptr()
    address = ctypes.addressof(args)
    steps = c.table_of([c.Step(c.KINDS.index(kind), address) for kind in kinds])
    load_library().run(steps, torch.get_num_threads())
