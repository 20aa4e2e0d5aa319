"""Short (Winograd) convolutions in plain PyTorch: matrix products and copies."""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from backends.winograd import Variant, matrix_tensor
from compiler.graph import Graph, Node, Pads, Pair
from compiler.ops import Conv2d

LEAST_TAPS = 5
"""Thin kernels with fewer taps save too few products to pay for the copies."""
LEAST_CHANNELS = {1: 64, 2: 80}
"""Of either side, for a kernel along one axis or both; with fewer the copies rule."""
LEAST_TILES = 64
"""Of a 3x3 convolution: its filters at the points are four times the weights."""
LEAST_COVER = 0.8
"""Part of the tiles' pixels that the output has: 35 x 35 of 36 x 36, but not 17 x 17 of 20 x 20."""


def short_variant(graph: Graph, node: Node) -> Variant | None:
    """Return the variant for a 1x7, 7x1 or a large 3x3 convolution; None for others."""
    op = node.op
    if not isinstance(op, Conv2d) or op.groups != 1 or op.stride != (1, 1) or op.dilation != (1, 1):
        return None
    shape = graph.input_shapes(node)[0]
    # One axis or two: the limits of what is worth it differ.
    axes = sum(taps > 1 for taps in op.kernel_size)
    if not shape.is_known or axes not in LEAST_CHANNELS:
        return None
    if min(shape.numbers[0], op.out_channels) < LEAST_CHANNELS[axes]:
        return None
    if axes == 2:
        return _plane_variant(op.kernel_size, node.shape.numbers[1:])
    taps = max(op.kernel_size)
    if taps < LEAST_TAPS:
        return None
    # F(6, 7) and F(4, 9) have 12 points, all that there are; see `backends.winograd`.
    outputs = 6 if taps <= 7 else 4
    return Variant(op.kernel_size, (1, outputs) if op.kernel_size[0] == 1 else (outputs, 1))


def _plane_variant(kernel: Pair, out: tuple[int, ...]) -> Variant | None:
    variant = Variant(kernel, (4, 4))
    tiles = _tiles((out[0], out[1]), variant.outputs)
    covers = prod(out) >= LEAST_COVER * prod(tiles) * prod(variant.outputs)
    return variant if kernel == (3, 3) and prod(tiles) >= LEAST_TILES and covers else None


def _tiles(out: Pair, outputs: Pair) -> Pair:
    return -(-out[0] // outputs[0]), -(-out[1] // outputs[1])


def short_parameters(variant: Variant, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the filters at the P points (P, C, O), and the transforms B (P, P) and A (m, P)."""
    down, across = variant.transforms
    filters = variant.filters(weight).to(weight.dtype)
    data = torch.kron(matrix_tensor(down.data), matrix_tensor(across.data))
    output = torch.kron(matrix_tensor(down.output), matrix_tensor(across.output))
    return filters, data.to(weight), output.to(weight)


def short_convolution(
    x: Tensor,
    filters: Tensor,
    data: Tensor,
    output: Tensor,
    bias: Tensor,
    pads: Pads,
    points: Pair,
    outputs: Pair,
) -> Tensor:
    """Convolve with stride 1, (N, C, H, W) -> (N, O, H', W'), tile by tile.

    Args:
        x: the input.
        filters: (P, C, O), as `short_parameters` returns it.
        data: (P, P).
        output: (m, P).
        bias: (O,).
        pads: zeros before and after the input along height and width.
        points: input pixels of a tile along height and width; their product is P.
        outputs: output pixels of a tile; their product is m.
    """
    (top, bottom), (left, right) = pads
    # Channels last, so that the products below read whole rows.
    x = x.permute(0, 2, 3, 1)
    whole = x.shape[1] + top + bottom, x.shape[2] + left + right
    out = whole[0] - points[0] + outputs[0], whole[1] - points[1] + outputs[1]
    tiles = _tiles(out, outputs)
    spare = tiles[0] * outputs[0] - out[0], tiles[1] * outputs[1] - out[1]
    x = F.pad(x, (0, 0, left, right + spare[1], top, bottom + spare[0]))
    windows = x.unfold(1, points[0], outputs[0]).unfold(2, points[1], outputs[1])
    batch = len(x)  # windows: (N, tiles down, tiles across, C, points down, points across)
    at_points = data @ windows.permute(4, 5, 0, 1, 2, 3).reshape(len(data), -1)
    products = torch.bmm(at_points.reshape(len(data), -1, filters.shape[1]), filters)
    results = output @ products.reshape(len(data), -1)
    results = results.reshape(*outputs, batch, *tiles, -1) + bias
    results = results.permute(2, 3, 0, 4, 1, 5)
    results = results.reshape(batch, tiles[0] * outputs[0], tiles[1] * outputs[1], -1)
    return results[:, : out[0], : out[1]].permute(0, 3, 1, 2)
