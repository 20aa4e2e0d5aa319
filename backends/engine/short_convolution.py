"""Short convolutions F(m, r) along one axis in plain PyTorch: matrix products and copies."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from backends.native.transforms import Variant
from backends.winograd import Matrix
from compiler.graph import Graph, Node
from compiler.ops import Conv2d
from compiler.shapes import Pads

LEAST_TAPS = 5
"""Shorter kernels save too few products to pay for the copies."""
LEAST_CHANNELS = 64


def short_variant(graph: Graph, node: Node) -> Variant | None:
    """Return the variant for a long, thin convolution: 1x7, 7x1; None for others."""
    op = node.op
    if not isinstance(op, Conv2d) or op.groups != 1 or op.stride != (1, 1) or op.dilation != (1, 1):
        return None
    shape = graph.input_shapes(node)[0]
    thin = min(op.kernel_size) == 1 and max(op.kernel_size) >= LEAST_TAPS
    if not thin or not shape.is_known or min(shape.numbers[0], op.out_channels) < LEAST_CHANNELS:
        return None
    outputs = 6 if max(op.kernel_size) <= 7 else 4
    return Variant(op.kernel_size, (1, outputs) if op.kernel_size[0] == 1 else (outputs, 1))


def short_parameters(variant: Variant, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the filters at the points (P, C, O), and the transforms B (P, P) and A (m, P)."""
    down, across = variant.transforms
    along = across if variant.kernel[0] == 1 else down
    filters = variant.filters(weight).to(weight.dtype)
    return filters, _tensor(along.data, weight), _tensor(along.output, weight)


def _tensor(matrix: Matrix, like: Tensor) -> Tensor:
    return torch.tensor([[float(x) for x in row] for row in matrix]).to(like)


def short_convolution(
    x: Tensor, filters: Tensor, data: Tensor, output: Tensor, bias: Tensor, pads: Pads, across: bool
) -> Tensor:
    """Convolve along width (`across`) or height with stride 1: (N, C, H, W) -> (N, O, H', W')."""
    points, tile = len(data), len(output)
    taps = points - tile + 1
    (top, bottom), (left, right) = pads
    x = x.permute(0, 2, 3, 1)
    grid = x.shape[1] + top + bottom, x.shape[2] + left + right
    axis = 2 if across else 1
    length = grid[axis - 1] - taps + 1
    tiles = -(-length // tile)
    spare = tiles * tile - length
    x = F.pad(x, (0, 0, left, right + spare * across, top, bottom + spare * (not across)))
    # (N, H, T, C, P) across, (N, T, W, C, P) down: every tile with its overlap
    windows = x.unfold(axis, points, tile)
    shape = windows.shape[:3]
    at_points = data @ windows.permute(4, 0, 1, 2, 3).reshape(points, -1)
    products = torch.bmm(at_points.reshape(points, -1, filters.shape[1]), filters)
    results = output @ products.reshape(points, -1)
    results = results.reshape(tile, *shape, -1) + bias
    results = results.movedim(0, axis + 1).flatten(axis, axis + 1).narrow(axis, 0, length)
    return results.permute(0, 3, 1, 2)
