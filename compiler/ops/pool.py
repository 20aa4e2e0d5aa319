"""Pooling: sliding windows, whole maps, adaptive grids, and nearest-neighbour upsampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from compiler.graph import Op, Pads, Pair, Shape, ShapeError, check_window, one_map, times
from compiler.ops.conv import least_window, window_grid, window_pads


@dataclass(frozen=True)
class _WindowPool(Op):
    kernel_size: Pair
    """(height, width)."""
    stride: Pair = (1, 1)
    padding: Pads | Literal["same"] = "same"
    ceil: bool = False
    """Round the output size up; a window that would start in the padding is dropped."""

    def pads(self, shape: Shape) -> Pads:
        """Return the padding in numbers for an input of `shape` (C, H, W)."""
        if self.padding != "same":
            return self.padding
        return window_pads(shape, self.kernel_size, self.stride, (1, 1))

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one_map(inputs, "pooling")
        if self.padding != "same":
            self._check_padding(self.padding)
        out = window_grid(shape, self.kernel_size, self.stride, self.padding, ceil=self.ceil)
        least, what = self.least_grid(), "a pooling window"
        check_window(shape, self.kernel_size, least, out, what, help=self._way_out())
        return Shape((shape.channels, *out))

    def _way_out(self) -> str:
        """Return the help for a map that is too small: a window without stride ends a network."""
        if self.stride != (1, 1):
            return ""
        if self.kind == "MaxPool2d":
            return "`global_max_pool: true` takes the maximum of a map of any size"
        return "`global_avg_pool: true` takes the mean of a map of any size"

    def _check_padding(self, padding: Pads) -> None:
        """Refuse what PyTorch refuses in forward: more padding than half the kernel."""
        for pair, kernel in zip(padding, self.kernel_size, strict=True):
            if max(pair) > kernel // 2:
                raise ShapeError(
                    f"padding {max(pair)} is more than half of the pooling kernel {kernel}",
                    "pool-padding",
                    f"pad by {kernel // 2} at most, or pad before the pooling",
                )

    def least_grid(self) -> Pair:
        return least_window(self.kernel_size, self.padding)


@dataclass(frozen=True)
class MaxPool2d(_WindowPool):
    """Maximum over a window; padding counts as minus infinity, never as zero.

    Shape: `(N, C, H, W) -> (N, C, H', W')`, with H' and W' as for a convolution.
    """

    kind: ClassVar[str] = "MaxPool2d"


@dataclass(frozen=True)
class AvgPool2d(_WindowPool):
    """Mean over a window.

    Padding is left out of the mean unless `count_include_pad`: TensorFlow's rule, which the
    paper's networks were trained with (FACTS E4); PyTorch's own default is the opposite.
    Shape: `(N, C, H, W) -> (N, C, H', W')`, with H' and W' as for a convolution.
    """

    kind: ClassVar[str] = "AvgPool2d"

    count_include_pad: bool = False


@dataclass(frozen=True)
class GlobalPool2d(Op):
    """Mean or maximum over the whole map, whatever its size.

    Shape: `(N, C, H, W) -> (N, C)`, or `(N, C, 1, 1)` with `keep_grid`.
    """

    kind: ClassVar[str] = "GlobalPool2d"

    function: Literal["avg", "max"] = "avg"
    keep_grid: bool = False

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one_map(inputs, "global pooling")
        return Shape((shape.channels, 1, 1) if self.keep_grid else (shape.channels,))


@dataclass(frozen=True)
class AdaptiveAvgPool2d(Op):
    """Mean over the cells of a fixed grid: cell i of n covers rows floor(i*H/n) to ceil((i+1)*H/n).

    Shape: `(N, C, H, W) -> (N, C, height, width)`.
    """

    kind: ClassVar[str] = "AdaptiveAvgPool2d"

    output_size: Pair

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one_map(inputs, "adaptive pooling")
        return Shape((shape.channels, *self.output_size))


@dataclass(frozen=True)
class Upsample(Op):
    """Nearest-neighbour upsampling by a whole factor.

    Shape: `(N, C, H, W) -> (N, C, H*factor, W*factor)`.
    """

    kind: ClassVar[str] = "Upsample"

    factor: int

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one_map(inputs, "upsampling")
        height, width = shape.grid
        return Shape((shape.channels, times(height, self.factor), times(width, self.factor)))
