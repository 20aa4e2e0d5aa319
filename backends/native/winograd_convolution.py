"""Convolutions by Winograd's method for training.

The arithmetic is float32: the transforms read bfloat16 where inputs are in it, and the last write
rounds.
"""

from __future__ import annotations

import ctypes
from math import prod

import torch
from torch import Tensor

from backends.native import steps as c
from backends.native.compiled_library import Library, load_library
from backends.native.convolution import SCRATCH, Geometry, PanelConvolution, on_pixels, step_of
from backends.native.tuner import tiles_per_task
from backends.winograd import Variant

_GROUP_FLOATS = 1 << 20
"""Most floats that the transformed tiles of one side may take at a time: a cache holds them."""


class ShortConvolution(PanelConvolution):
    """A convolution of stride 1 by a Winograd variant."""

    def __init__(self, geometry: Geometry, variant: Variant, threads: int) -> None:
        library = load_library()
        super().__init__(
            geometry,
            threads,
            width=library.width,
            most=library.max_vectors,
            a_vector=4 * prod(variant.points) * geometry.channels * library.width,
        )
        self.filters = c.Filters(
            None, library.transform("filter", variant), self.panels, 0, 0, 0, 0,
            geometry.channels, len(self.parts),
        )  # fmt: skip
        tiles = geometry.batch * prod(geometry.tile_grid(variant))
        chunk = tiles_per_task(tiles, geometry.channels, variant, threads)
        self.product = _tiles(library, geometry, variant, (0, tiles), self.panels, chunk)
        self.steps = c.table_of(
            [step_of("filters", self.filters), step_of("winograd", self.product)]
        )


class ShortWeightGradient:
    """The gradient of a weight: tiles of inputs times tiles of output gradients, at the points."""

    def __init__(self, geometry: Geometry, variant: Variant, threads: int) -> None:
        self.geometry = geometry
        self.threads = threads
        self.library = library = load_library()
        self.groups = []
        steps = []
        for number, group in enumerate(tile_groups(geometry, variant)):
            inputs = _tiles(library, geometry, variant, group)
            gradients = _gradient_tiles(library, geometry, variant, group)
            product = c.WeightGradient(
                None, None, _point_stride(inputs), _point_stride(gradients),
                library.transform("taps", variant), None, 0, 0, 0, 0,
                geometry.channels, geometry.out_channels, group[1],
                prod(variant.points), number > 0,
            )  # fmt: skip
            self.groups.append((inputs, gradients, product))
            steps += [step_of("winograd_data", tiles) for tiles in (inputs, gradients)]
            steps.append(step_of("weight_gradient", product))
        self.points = prod(variant.points)
        self.steps = c.table_of(steps)

    def __call__(self, x: Tensor, gradient: Tensor, weight: Tensor) -> Tensor:
        """Return the gradient of `weight`, in its layout, from x and the gradient of the output."""
        x, x_stride = on_pixels(x)
        gradient, gradient_stride = on_pixels(gradient)
        made = torch.empty_like(weight)
        out, in_, row, column = made.stride()
        channels = max(self.geometry.channels, self.geometry.out_channels)
        with SCRATCH.lock:
            zeros = SCRATCH.zero_pixel(channels)
            ins = SCRATCH.take(0, self.points * max(_point_stride(g[0]) for g in self.groups))
            outs = SCRATCH.take(2, self.points * max(_point_stride(g[1]) for g in self.groups))
            for inputs, gradients, product in self.groups:
                inputs.in_, inputs.in_stride = x.data_ptr(), x_stride
                gradients.in_, gradients.in_stride = gradient.data_ptr(), gradient_stride
                inputs.zeros = gradients.zeros = zeros
                inputs.points = product.in_ = ins
                gradients.points = product.out = outs
                product.weight = made.data_ptr()
                product.out_stride, product.in_stride = out, in_
                product.row_stride, product.column_stride = row, column
            self.library.run(self.steps, self.threads)
        return made


Group = tuple[int, int]
"""The first tile and how many."""


def tile_groups(geometry: Geometry, variant: Variant) -> list[Group]:
    """Return the tiles of a batch in equal groups whose transforms keep to `_GROUP_FLOATS`."""
    total = geometry.batch * prod(geometry.tile_grid(variant))
    most = max(geometry.channels, geometry.out_channels) * prod(variant.points)
    count = -(-total * most // _GROUP_FLOATS)
    size = -(-total // count)
    return [(first, min(size, total - first)) for first in range(0, total, size)]


def _tiles(
    library: Library,
    geometry: Geometry,
    variant: Variant,
    group: Group,
    panels: ctypes.Array[c.Panel] | None = None,
    chunk: int = 1,
) -> c.Winograd:
    """Return the arguments for tiles of the input, and for their products with the panels."""
    side = "data16" if geometry.is_rounded else "data"
    return c.Winograd(
        None, 0, None, None, library.transform(side, variant),
        library.transform("output", variant), panels,
        geometry.channels, len(panels or ()), *group, chunk,
        *geometry.size, *geometry.out_size, *geometry.pads,
        *geometry.tile_grid(variant), *variant.outputs, *variant.points, geometry.dtype.itemsize,
    )  # fmt: skip


def _gradient_tiles(
    library: Library, geometry: Geometry, variant: Variant, group: Group
) -> c.Winograd:
    """Return the arguments for tiles of the output's gradient: as many pixels as outputs."""
    side = "gradient16" if geometry.is_rounded else "gradient"
    return c.Winograd(
        None, 0, None, None, library.transform(side, variant), None, None,
        geometry.out_channels, 0, *group, 1,
        *geometry.out_size, *geometry.out_size, 0, 0,
        *geometry.tile_grid(variant), *variant.outputs, *variant.outputs,
        geometry.dtype.itemsize,
    )  # fmt: skip


def _point_stride(tiles: c.Winograd) -> int:
    """Return the floats from point to point, as `point_stride` in `winograd.h` does."""
    return int(tiles.tiles * tiles.channels // 16 | 1) * 16
