"""A 1x1 convolution of a training step as a matrix product over its pixels, and both gradients.

oneDNN's convolutions are slower at it than its matrix products and MKL's, most of all the weight's
gradient: half as fast again in float32 is common, twice in bfloat16.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from backends.native.convolution import Geometry


def is_pointwise(conv: nn.Conv2d | Geometry) -> bool:
    """Say whether a convolution without groups and dilation is a product of matrices."""
    if isinstance(conv, Geometry):
        return conv.kernel == conv.stride == (1, 1) and conv.pads == (0, 0)
    return conv.kernel_size == conv.stride == (1, 1) and conv.padding == (0, 0)


def multiply(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return the output (N, O, H, W), channels last, of x (N, C, H, W) and a weight (O, C, 1, 1).

    It is in the dtype of `x`, whatever those of weight and bias are.
    """
    matrix, rows = weight.flatten(1).to(x.dtype).t(), _rows(x)
    made = rows @ matrix if bias is None else torch.addmm(bias.to(x.dtype), rows, matrix)
    return _image(made, x)


def input_gradient(gradient: Tensor, weight: Tensor) -> Tensor:
    """Return the gradient of the input, (N, C, H, W), channels last, for that of the output."""
    return _image(_rows(gradient) @ weight.flatten(1).to(gradient.dtype), gradient)


def weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """Return the gradient of the weight, (O, C, 1, 1), in the weight's dtype."""
    return (_rows(gradient).t() @ _rows(x)).to(weight.dtype).view(weight.shape)


def _rows(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _image(rows: Tensor, like: Tensor) -> Tensor:
    batch, _, height, width = like.shape
    return rows.view(batch, height, width, -1).permute(0, 3, 1, 2)
