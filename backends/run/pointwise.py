"""A 1x1 convolution as a matrix product over its pixels, and both gradients.

On a Xeon oneDNN's convolutions are slower at it than the matrix products of oneDNN and MKL, most of
all in the weight's gradient.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.graph import Pair


def is_pointwise(kernel: Pair, stride: Pair, pads: Pair) -> bool:
    """Say whether a convolution without groups is a matrix product over its pixels."""
    return kernel == stride == (1, 1) and pads == (0, 0)


def multiply(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return the output (N, O, H, W), channels last, of an input and a weight (O, C, 1, 1)."""
    return F.linear(x.permute(0, 2, 3, 1), weight.flatten(1), bias).permute(0, 3, 1, 2)


def output(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return the same without a graph of gradients, in the dtype of `x` whatever the others have.

    The result is no view: it may come out of an `autograd.Function` and be changed in place.
    """
    made = torch.empty(
        (len(x), len(weight), *x.shape[2:]), dtype=x.dtype, memory_format=torch.channels_last
    )
    rows, matrix = made.permute(0, 2, 3, 1).flatten(0, 2), weight.flatten(1).to(x.dtype).t()
    if bias is None:
        torch.mm(_rows(x), matrix, out=rows)
    else:
        torch.addmm(bias.to(x.dtype), _rows(x), matrix, out=rows)
    return made


def input_gradient(gradient: Tensor, weight: Tensor) -> Tensor:
    """Return the gradient of the input, (N, C, H, W), channels last, for that of the output."""
    matrix = weight.flatten(1).to(gradient.dtype)
    return (gradient.permute(0, 2, 3, 1) @ matrix).permute(0, 3, 1, 2)


def weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """Return the gradient of the weight, (O, C, 1, 1), in the weight's dtype."""
    return (_rows(gradient).t() @ _rows(x)).to(weight.dtype).view(weight.shape)


def _rows(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
