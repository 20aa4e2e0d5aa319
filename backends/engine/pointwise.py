"""A 1x1 convolution as a matrix product over its pixels, and both gradients.

On a Xeon oneDNN's convolutions are slower at it than the matrix products of oneDNN and MKL, most of
all in the weight's gradient.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

Pair = tuple[int, int]


def is_pointwise(kernel: Pair, stride: Pair, pads: Pair) -> bool:
    """Say whether a convolution without groups is a matrix product over its pixels."""
    return kernel == stride == (1, 1) and pads == (0, 0)


def multiply(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return the output (N, O, H, W), channels last, of x (N, C, H, W) and a weight (O, C, 1, 1).

    It is in the dtype of `x`, whatever those of weight and bias are.
    """
    shift = None if bias is None else bias.to(x.dtype)
    made = F.linear(x.permute(0, 2, 3, 1), weight.flatten(1).to(x.dtype), shift)
    return made.permute(0, 3, 1, 2)


def input_gradient(gradient: Tensor, weight: Tensor) -> Tensor:
    """Return the gradient of the input, (N, C, H, W), channels last, for that of the output."""
    matrix = weight.flatten(1).to(gradient.dtype)
    return (gradient.permute(0, 2, 3, 1) @ matrix).permute(0, 3, 1, 2)


def weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """Return the gradient of the weight, (O, C, 1, 1), in the weight's dtype."""
    return (_rows(gradient).t() @ _rows(x)).to(weight.dtype).view(weight.shape)


def _rows(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
