"""What the tests of training share: numbers, references in float64, distances and their bounds."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.kernels import kernels

CHANNELS_LAST = torch.channels_last
FLOAT, SHORT_FLOAT = torch.float32, torch.bfloat16
BOUND = 3e-5
"""Of the largest value; the transforms of F(6, 7) amplify float32's 6e-8 the most."""
ROUNDED = 2**-8 + BOUND
"""Of the largest value: bfloat16 has eight binary digits, the nearest is half of 2^-7 off."""

NEEDS_COMPILER = [
    pytest.mark.usefixtures("one_thread"),
    kernels,
]


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Return normal numbers, of a seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def distance(made: Tensor | None, reference: Tensor | None) -> float:
    """Return the largest difference, of the largest value of the reference."""
    assert made is not None
    assert reference is not None
    assert made.shape == reference.shape
    made, reference = made.detach().double(), reference.detach()
    return float((made - reference).abs().max() / reference.abs().max())


def relative(made: Tensor | None, wanted: Tensor) -> float:
    """Return the length of the difference, of the length of what is wanted."""
    assert made is not None
    return float((made.double() - wanted).norm() / wanted.norm())


def in_float64(
    x: Tensor,
    weight: Tensor,
    pads: tuple[int, int],
    bias: Tensor | None = None,
    dtype: torch.dtype = FLOAT,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the output of a convolution, a gradient for it, and those of x and the weight.

    The gradient for the output is of a dtype, the others are float64.
    """
    x, weight = (t.detach().double().requires_grad_() for t in (x, weight))
    out = F.conv2d(x, weight, None if bias is None else bias.detach().double(), padding=pads)
    gradient = normal(*out.shape, seed=1).to(dtype)
    torch.autograd.backward(out, gradient.double())
    assert x.grad is not None
    assert weight.grad is not None
    return out.detach(), gradient, x.grad, weight.grad
