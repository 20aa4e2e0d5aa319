"""Single convolutions by matrix tiles on bfloat16 tensors of the caller's, for training.

Inputs, outputs and their gradients are bfloat16; weights and their gradients are float32, and the
products round them to bfloat16 as autocast does. Sums are float32.
"""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from torch import Tensor

from backends.native import library as c
from backends.native.convolution import (
    SCRATCH,
    Geometry,
    bind_panels,
    on_pixels,
    point_targets,
    step_of,
)
from backends.native.groups import Segment
from backends.native.pixels import PixelTable, pixel_table
from backends.native.tuner import tile_tasks
from backends.native.weights import aligned_floats, split_panels

_WIDTH = 16
"""Output channels of a tile."""
_DEPTH = 32
"""Values of the depth of a tile."""
_ACROSS = 2
"""Vectors of output channels in a panel."""
_TASKS_PER_THREAD = 3


class TileConvolution:
    """`y = x * w` of one geometry; or with turned taps, which is the input's gradient.

    Raises:
        BackendError: there is no C++ compiler.
    """

    def __init__(self, geometry: Geometry, threads: int) -> None:
        self.geometry = geometry
        self.threads = threads
        self.library = c.load_library()
        channels, taps = geometry.out_channels, prod(geometry.kernel)
        self.parts = split_panels((Segment(0, channels, "out"),), _WIDTH, _ACROSS)
        vectors = [vector for part in self.parts for vector in part]
        self.targets = (c.Target * len(vectors))(
            *(c.Target(None, 0, None, None, channels, 0, v.stop - v.start, 0) for v in vectors)
        )
        self.first = np.cumsum([0, *(len(part) for part in self.parts)])
        self.weights = 0
        self.epilogue = aligned_floats(2 * len(vectors) * _WIDTH)
        self.epilogue[len(vectors) * _WIDTH :] = -float("inf")
        self.panels = (c.Panel * len(self.parts))()
        self.depth = -(-taps * geometry.channels // _DEPTH)
        self.filters = c.TileFilters(
            None, self.panels, self.first.ctypes.data, 0, 0, 0, 0,
            geometry.channels, taps, geometry.kernel[1], len(self.parts),
        )  # fmt: skip
        self.table = table_of(geometry)
        chunk, groups = tile_tasks(
            pixels=prod(geometry.out_size),
            panels=len(self.parts),
            batch=geometry.batch,
            threads=threads,
            weights=taps * geometry.channels * channels,
            inputs=geometry.channels * prod(geometry.size),
            depth=taps * geometry.channels,
        )
        self.product = c.Conv(
            None, 0, prod(geometry.size), prod(geometry.out_size), 0,
            self.table.ctypes.data, None, self.panels, c.Ahead(),
            geometry.batch, taps, geometry.channels, len(self.parts), chunk, groups,
        )  # fmt: skip
        self.steps = c.table_of(
            [step_of("tile_filters", self.filters), step_of("conv_tiles", self.product)]
        )

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return (N, O, H', W'), channels last, of (N, C, H, W) and a float32 (O, C, kH, kW)."""
        out, in_, row, column = weight.stride()
        return self._run(x, weight.data_ptr(), (out, in_, row, column), bias)

    def turned(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return the same with a weight (C, O, kH, kW) whose taps stand the other way round."""
        out, in_, row, column = weight.stride()
        height, width = self.geometry.kernel
        last = weight.data_ptr() + 4 * ((height - 1) * row + (width - 1) * column)
        return self._run(x, last, (in_, out, -row, -column), None)

    def _run(
        self, x: Tensor, weight: int, strides: tuple[int, int, int, int], bias: Tensor | None
    ) -> Tensor:
        geometry, filters, product = self.geometry, self.filters, self.product
        x, stride = on_pixels(x)
        out = torch.empty(
            (geometry.batch, geometry.out_channels, *geometry.out_size),
            dtype=torch.bfloat16,
            memory_format=torch.channels_last,
        )
        if bias is not None:
            self.epilogue[: geometry.out_channels] = bias.detach().numpy()
        with SCRATCH.lock:
            self._bind_panels()
            point_targets(self.targets, out.data_ptr(), is_rounded=True)
            filters.weight = weight
            filters.out_stride, filters.in_stride = strides[:2]
            filters.row_stride, filters.column_stride = strides[2:]
            product.in_, product.in_stride = x.data_ptr(), stride
            product.zeros = SCRATCH.zero_pixel(geometry.channels)
            self.library.run(self.steps, self.threads)
        return out

    def _bind_panels(self) -> None:
        a_vector = 2 * self.depth * _DEPTH * _WIDTH
        weights = SCRATCH.take(1, a_vector * len(self.targets) // 4)
        if weights != self.weights:
            self.weights = weights
            bind_panels(self.panels, self.parts, self.targets, self.epilogue, weights, a_vector)


class TileWeightGradient:
    """The gradient of a weight: every tap's inputs times output gradients, over all pixels."""

    def __init__(self, geometry: Geometry, threads: int) -> None:
        self.geometry = geometry
        self.threads = threads
        self.library = c.load_library()
        self.table = table_of(geometry)
        taps, rows = prod(geometry.kernel), geometry.out_channels // _WIDTH
        tasks = taps * -(-geometry.channels // (2 * _WIDTH))
        groups = min(-(-rows // 2), -(-_TASKS_PER_THREAD * threads // tasks))
        self.args = c.TileGradient(
            table=self.table.ctypes.data,
            in_pixels=prod(geometry.size),
            out_pixels=prod(geometry.out_size),
            batch=geometry.batch,
            taps=taps,
            columns=geometry.kernel[1],
            in_channels=geometry.channels,
            out_channels=geometry.out_channels,
            groups=groups,
        )
        kinds = "tile_turn", "tile_gradient"
        self.steps = c.table_of([step_of(kind, self.args) for kind in kinds])

    def __call__(self, x: Tensor, gradient: Tensor, weight: Tensor) -> Tensor:
        """Return the gradient of `weight`, in its layout, from x and the gradient of the output."""
        geometry, args = self.geometry, self.args
        x, args.in_stride = on_pixels(x)
        gradient, args.gradient_stride = on_pixels(gradient)
        made = torch.empty_like(weight)
        args.out_stride, args.weight_in_stride, args.row_stride, args.column_stride = made.stride()
        blocks = -(-geometry.batch * prod(geometry.out_size) // _DEPTH)
        with SCRATCH.lock:
            args.in_, args.gradient = x.data_ptr(), gradient.data_ptr()
            args.weight = made.data_ptr()
            args.turned = SCRATCH.take(0, blocks * _DEPTH * geometry.out_channels // 2)
            args.zeros = SCRATCH.zero_pixel(max(geometry.channels, geometry.out_channels))
            self.library.run(self.steps, self.threads)
        return made


def table_of(geometry: Geometry) -> PixelTable:
    """Return the input pixel of every output pixel and tap."""
    before = geometry.pads
    pads = (before[0], 0), (before[1], 0)
    size, out, kernel = geometry.size, geometry.out_size, geometry.kernel
    return pixel_table(size, out, kernel, geometry.stride, (1, 1), pads)
