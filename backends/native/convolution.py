"""What convolutions of a training step share: sizes, scratch memory, panels, weights by strides.

Each works on tensors of the caller's. Weights and their gradients are float32; inputs, outputs and
their gradients may be bfloat16.
"""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backends.native import steps as c
from backends.native.compiled_library import load_library
from backends.native.groups import Segment
from backends.native.weights import aligned_floats, split_panels
from backends.winograd import Variant

_OUT, _ROUNDED = c.Target.out.offset // 8, c.Target.rounded.offset // 8
"""Where a target has its addresses, in words."""


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


class PanelConvolution:
    """`y = x * w` of one geometry; or with turned taps, which is the input's gradient.

    A subclass has the kernels: `filters` packs the weights, `product` multiplies, `steps` are both.
    It is made once; a call only writes addresses.

    Args:
        geometry: the convolution.
        threads: that compute it.
        width: output channels of a vector.
        most: vectors of a panel.
        a_vector: bytes of the packed weights of a vector.

    Raises:
        BackendError: there is no C++ compiler.
    """

    filters: c.Filters | c.TileFilters
    product: c.Winograd | c.Conv
    steps: ctypes.Array[c.Step]

    def __init__(
        self, geometry: Geometry, threads: int, *, width: int, most: int, a_vector: int
    ) -> None:
        self.geometry = geometry
        self.threads = threads
        self.library = load_library()
        self.width = width
        self.a_vector = a_vector
        channels = geometry.out_channels
        self.parts = split_panels((Segment(0, channels, "out"),), width, most)
        vectors = [vector for part in self.parts for vector in part]
        self.targets = (c.Target * len(vectors))(
            *(c.Target(None, None, None, None, channels, 0, v.stop - v.start, 0) for v in vectors)
        )
        self.epilogue = aligned_floats(2 * len(vectors) * width)
        # The second half is the clamp of the epilogue: -inf, since training applies no ReLU here.
        self.epilogue[len(vectors) * width :] = -float("inf")
        self.panels = (c.Panel * len(self.parts))()
        self.weights = 0

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return (N, O, H', W'), channels last, of (N, C, H, W) and a float32 (O, C, kH, kW)."""
        return self._run(x, weight, bias, turned=False)

    def turned(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return the same with a weight (C, O, kH, kW) whose taps are in reverse order."""
        return self._run(x, weight, None, turned=True)

    def _run(self, x: Tensor, weight: Tensor, bias: Tensor | None, turned: bool) -> Tensor:
        geometry = self.geometry
        x, stride = on_pixels(x)
        out = torch.empty(
            (geometry.batch, geometry.out_channels, *geometry.out_size),
            dtype=geometry.dtype,
            memory_format=torch.channels_last,
        )
        with SCRATCH.lock:
            self.epilogue[: geometry.out_channels] = 0 if bias is None else bias.detach().numpy()
            self._bind_weight(weight, turned)
            self._bind_panels()
            self._bind_targets(out.data_ptr())
            self.product.in_, self.product.in_stride = x.data_ptr(), stride
            self.product.zeros = SCRATCH.zero_pixel(geometry.channels)
            self.library.run(self.steps, self.threads)
        return out

    def _bind_weight(self, weight: Tensor, turned: bool) -> None:
        out, in_, row, column = weight.stride()
        start = weight.data_ptr()
        # Reversed taps are negative strides from the last tap: no copy of the weight.
        if turned:
            height, width = weight.shape[2:]
            start += 4 * ((height - 1) * row + (width - 1) * column)
            out, in_, row, column = in_, out, -row, -column
        filters = self.filters
        filters.weight, filters.out_stride, filters.in_stride = start, out, in_
        filters.row_stride, filters.column_stride = row, column

    def _bind_panels(self) -> None:
        """Say where the packed weights are, if that is not where they were at the last call."""
        count = len(self.targets)
        # Pointers into scratch go stale only when it grows, which is seldom: compare, then rebind.
        weights = SCRATCH.take(1, self.a_vector * count // 4)
        if weights == self.weights:
            return
        self.weights = weights
        bias, targets, a_bias = self.epilogue.ctypes.data, self.targets, 4 * self.width
        at = 0
        for panel, part in zip(self.panels, self.parts, strict=True):
            panel.weight, panel.vectors = weights + self.a_vector * at, len(part)
            panel.bias, panel.floor = bias + a_bias * at, bias + a_bias * (count + at)
            place = ctypes.addressof(targets) + at * ctypes.sizeof(c.Target)
            panel.targets = ctypes.cast(place, ctypes.POINTER(c.Target))
            at += len(part)

    def _bind_targets(self, out: int) -> None:
        """Send the vectors of output channels to a tensor, one after the other in each pixel."""
        column = _ROUNDED if self.geometry.is_rounded else _OUT
        buffer: Any = self.targets
        words = np.frombuffer(buffer, dtype=np.int64).reshape(len(self.targets), -1)
        size = self.geometry.dtype.itemsize * self.width
        words[:, column] = out + size * np.arange(len(self.targets))


def on_pixels(x: Tensor) -> tuple[Tensor, int]:
    """Return a tensor whose channels lie side by side, and the elements from pixel to pixel.

    A slice of a channels-last tensor, as a concat's gradient is, stays as it is; others are copied.
    """
    _, channels, height, width = x.shape
    step = x.stride(3)
    # What the kernels can read in place: channels adjacent, pixels at one distance.
    if x.stride() == (height * width * step, 1, width * step, step) and step >= channels:
        return x, step
    return x.contiguous(memory_format=torch.channels_last), channels


def step_of(kind: str, args: ctypes.Structure) -> c.Step:
    """Return a step of one of `KINDS` with its arguments."""
    return c.Step(c.KINDS.index(kind), ctypes.addressof(args))
