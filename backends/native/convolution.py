"""Single convolutions by Winograd's method on tensors of the caller's, for training.

The arithmetic is float32. Inputs, outputs and their gradients may be bfloat16: the transforms read
it, and the last write rounds. Weights and their gradients are float32.
"""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backends.native import library as c
from backends.native.groups import Segment
from backends.native.transforms import Variant
from backends.native.tuner import tiles_per_task
from backends.native.weights import Floats, Panel, aligned_floats, split_panels

_GROUP_FLOATS = 1 << 20
"""Most floats that the transformed tiles of one side may take at a time: a cache holds them."""


@dataclass(frozen=True)
class Geometry:
    """A convolution: sizes of one side and the other, and the padding before."""

    batch: int
    channels: int
    size: tuple[int, int]
    """Height and width of the input."""
    out_channels: int
    kernel: tuple[int, int]
    pads: tuple[int, int]
    """Zeros above and left of the input."""
    out_size: tuple[int, int]
    dtype: torch.dtype = torch.float32
    """Of inputs, outputs and their gradients: float32 or bfloat16."""
    stride: tuple[int, int] = (1, 1)

    @property
    def is_rounded(self) -> bool:
        """Whether it reads and writes bfloat16."""
        return self.dtype == torch.bfloat16

    @property
    def input_gradient(self) -> Geometry:
        """The convolution with turned taps that makes the gradient of the input, for stride 1."""
        before = self.kernel[0] - 1 - self.pads[0], self.kernel[1] - 1 - self.pads[1]
        return Geometry(
            self.batch,
            self.out_channels,
            self.out_size,
            self.channels,
            self.kernel,
            before,
            self.size,
            self.dtype,
        )

    def tile_grid(self, variant: Variant) -> tuple[int, int]:
        """Return how many tiles cover an image's output, down and across."""
        down, across = variant.outputs
        return -(-self.out_size[0] // down), -(-self.out_size[1] // across)


class _Scratch:
    """Memory that all convolutions of a process share: one computes at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.stretches = [aligned_floats(0), aligned_floats(0), aligned_floats(0)]
        self.zeros = aligned_floats(0)

    def take(self, index: int, floats: int) -> int:
        """Return the address of a stretch of so many floats; each index is another stretch."""
        if self.stretches[index].size < floats:
            self.stretches[index] = aligned_floats(floats)
        return int(self.stretches[index].ctypes.data)

    def zero_pixel(self, channels: int) -> int:
        """Return the address of a pixel of zeros."""
        if self.zeros.size < channels:
            self.zeros = aligned_floats(channels)
        return int(self.zeros.ctypes.data)


SCRATCH = _Scratch()


class ShortConvolution:
    """`y = x * w` of one geometry; or with turned taps, which is the input's gradient.

    Raises:
        BackendError: there is no C++ compiler.
    """

    def __init__(self, geometry: Geometry, variant: Variant, threads: int) -> None:
        self.geometry = geometry
        self.variant = variant
        self.threads = threads
        self.library = c.load_library()
        width, channels = self.library.width, geometry.out_channels
        segment = Segment(0, channels, "out")
        self.parts = split_panels((segment,), width, self.library.max_vectors)
        vectors = [vector for part in self.parts for vector in part]
        self.targets = (c.Target * len(vectors))(
            *(c.Target(0, None, None, None, channels, 0, v.stop - v.start, 0) for v in vectors)
        )
        self.epilogue = aligned_floats(2 * len(vectors) * width)
        self.epilogue[len(vectors) * width :] = -float("inf")
        self.panels = (c.Panel * len(self.parts))()
        self.weights = 0
        self.filters = c.Filters(
            None, self.library.transform("filter", variant), self.panels, 0, 0, 0, 0,
            geometry.channels, len(self.parts),
        )  # fmt: skip
        tiles = geometry.batch * prod(geometry.tile_grid(variant))
        chunk = tiles_per_task(tiles, geometry.channels, variant, threads)
        self.tiles = _tiles(self.library, geometry, variant, (0, tiles), self.panels, chunk)
        self.steps = c.table_of([step_of("filters", self.filters), step_of("winograd", self.tiles)])

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return (N, O, H', W'), channels last, of (N, C, H, W) and a float32 (O, C, kH, kW)."""
        return self._run(x, weight, bias, turned=False)

    def turned(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return the same with a weight (C, O, kH, kW) whose taps stand the other way round."""
        return self._run(x, weight, None, turned=True)

    def _run(self, x: Tensor, weight: Tensor, bias: Tensor | None, turned: bool) -> Tensor:
        geometry = self.geometry
        x, stride = on_pixels(x)
        out = torch.empty(
            (geometry.batch, geometry.out_channels, *geometry.out_size),
            dtype=geometry.dtype,
            memory_format=torch.channels_last,
        )
        if bias is not None:
            self.epilogue[: geometry.out_channels] = bias.detach().numpy()
        with SCRATCH.lock:
            self._bind_weight(weight, turned)
            self._bind_panels()
            point_targets(self.targets, out.data_ptr(), geometry.is_rounded)
            self.tiles.in_, self.tiles.in_stride = x.data_ptr(), stride
            self.tiles.zeros = SCRATCH.zero_pixel(geometry.channels)
            self.library.run(self.steps, self.threads)
        return out

    def _bind_weight(self, weight: Tensor, turned: bool) -> None:
        out, in_, row, column = weight.stride()
        start = weight.data_ptr()
        if turned:
            height, width = weight.shape[2:]
            start += 4 * ((height - 1) * row + (width - 1) * column)
            out, in_, row, column = in_, out, -row, -column
        filters = self.filters
        filters.weight, filters.out_stride, filters.in_stride = start, out, in_
        filters.row_stride, filters.column_stride = row, column

    def _bind_panels(self) -> None:
        lanes = len(self.targets) * self.library.width
        a_lane = 4 * prod(self.variant.points) * self.geometry.channels
        weights = SCRATCH.take(1, a_lane * lanes // 4)
        if weights != self.weights:
            self.weights = weights
            a_vector = a_lane * self.library.width
            bind_panels(self.panels, self.parts, self.targets, self.epilogue, weights, a_vector)


def bind_panels(
    panels: ctypes.Array[c.Panel],
    parts: tuple[Panel, ...],
    targets: ctypes.Array[c.Target],
    epilogue: Floats,
    weights: int,
    a_vector: int,
) -> None:
    """Write into panels where their weights, biases, floors and targets are.

    Args:
        panels: what is written.
        parts: the vectors of each.
        targets: of all vectors.
        epilogue: the biases of all vectors, then their floors.
        weights: address of the packed weights.
        a_vector: bytes of the weights of one vector.
    """
    count = len(targets)
    a_part = epilogue.nbytes // (2 * count)
    bias, start = epilogue.ctypes.data, ctypes.addressof(targets)
    at = 0
    for panel, part in zip(panels, parts, strict=True):
        panel.weight, panel.vectors = weights + a_vector * at, len(part)
        panel.bias, panel.floor = bias + a_part * at, bias + a_part * (count + at)
        place = start + at * ctypes.sizeof(c.Target)
        panel.targets = ctypes.cast(place, ctypes.POINTER(c.Target))
        at += len(part)


_OUT, _ROUNDED = c.Target.out.offset // 8, c.Target.rounded.offset // 8
"""Where a target has its addresses, in words."""


def point_targets(targets: ctypes.Array[c.Target], out: int, is_rounded: bool) -> None:
    """Send all vectors of output channels to a tensor of pixels, one vector after the other."""
    width = targets[0].channels
    buffer: Any = targets
    words = np.frombuffer(buffer, dtype=np.int64).reshape(len(targets), -1)
    size = 2 if is_rounded else 4
    column = _ROUNDED if is_rounded else _OUT
    words[:, column] = out + size * width * np.arange(len(targets))


class ShortWeightGradient:
    """The gradient of a weight: tiles of inputs times tiles of output gradients, at the points."""

    def __init__(self, geometry: Geometry, variant: Variant, threads: int) -> None:
        self.geometry = geometry
        self.threads = threads
        self.library = library = c.load_library()
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


def on_pixels(x: Tensor) -> tuple[Tensor, int]:
    """Return a tensor whose channels lie side by side, and the elements from pixel to pixel.

    A slice of a channels-last tensor, as a concat's gradient is, stays as it is; others are copied.
    """
    _, channels, height, width = x.shape
    step = x.stride(3)
    if x.stride() == (height * width * step, 1, width * step, step) and step >= channels:
        return x, step
    return x.contiguous(memory_format=torch.channels_last), channels


def _tiles(
    library: c.Library,
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
    library: c.Library, geometry: Geometry, variant: Variant, group: Group
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


def step_of(kind: str, args: ctypes.Structure) -> c.Step:
    """Return a step of one of `KINDS` with its arguments."""
    return c.Step(c.KINDS.index(kind), ctypes.addressof(args))
