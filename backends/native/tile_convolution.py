"""Convolutions by matrix tiles for training.

Inputs, outputs and their gradients are bfloat16; the products round the weights to it as autocast
does. Sums are float32.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from backends.native import steps as c
from backends.native.compiled_library import load_library
from backends.native.convolution import SCRATCH, Geometry, PanelConvolution, on_pixels, step_of
from backends.native.pixels import PixelTable, pixel_table
from backends.native.tuner import tile_tasks
from backends.native.weights import TILES_ACROSS

_WIDTH = 16
"""Output channels of a tile."""
_DEPTH = 32
"""Values of the depth of a tile."""
_TASKS_PER_THREAD = 3


class TileConvolution(PanelConvolution):
    """A convolution of any stride by matrix tiles."""

    def __init__(self, geometry: Geometry, threads: int) -> None:
        taps = prod(geometry.kernel)
        depth = taps * geometry.channels
        a_vector = 2 * -(-depth // _DEPTH) * _DEPTH * _WIDTH
        super().__init__(geometry, threads, width=_WIDTH, most=TILES_ACROSS, a_vector=a_vector)
        self.filters = c.TileFilters(
            None, self.panels, 0, 0, 0, 0,
            geometry.channels, taps, geometry.kernel[1], len(self.parts),
        )  # fmt: skip
        self.table = table_of(geometry)
        chunk, groups = tile_tasks(
            pixels=prod(geometry.out_size),
            panels=len(self.parts),
            batch=geometry.batch,
            threads=threads,
            weights=depth * geometry.out_channels,
            inputs=geometry.channels * prod(geometry.size),
            depth=depth,
        )
        self.product = c.Conv(
            None, 0, prod(geometry.size), prod(geometry.out_size), 0,
            self.table.ctypes.data, None, self.panels, c.Ahead(),
            geometry.batch, taps, geometry.channels, len(self.parts), chunk, groups,
        )  # fmt: skip
        self.steps = c.table_of(
            [step_of("tile_filters", self.filters), step_of("conv_tiles", self.product)]
        )


class TileWeightGradient:
    """The gradient of a weight: every tap's inputs times output gradients, over all pixels."""

    def __init__(self, geometry: Geometry, threads: int) -> None:
        self.geometry = geometry
        self.threads = threads
        self.library = load_library()
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
        x, stride = on_pixels(x)
        gradient, gradient_stride = on_pixels(gradient)
        made = torch.empty_like(weight)
        blocks = -(-geometry.batch * prod(geometry.out_size) // _DEPTH)
        with SCRATCH.lock:
            args.in_, args.in_stride = x.data_ptr(), stride
            args.gradient, args.gradient_stride = gradient.data_ptr(), gradient_stride
            args.weight = made.data_ptr()
            args.out_stride, args.weight_in_stride, *steps = made.stride()
            args.row_stride, args.column_stride = steps
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
