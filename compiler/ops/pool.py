"""Pooling: sliding windows, whole maps, adaptive grids."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from dataclasses import dataclass
from typing import ClassVar, Literal

from compiler.graph import (
    Op,
    Pads,
    Pair,
    Reach,
    Shape,
    ShapeError,
    Shown,
    Window,
    Words,
    check_window,
    known_vector,
    one_map,
)
from compiler.ops.conv import least_window, window_begins, window_grid, window_pads
from compiler.ops.layer import Fields, Layer, Parts
from compiler.text.fields import Bare, Flag, Kernel, Padding


@dataclass(frozen=True)
class _WindowPool(Op):
    drawn_as = "pool"
    word: ClassVar[str]
    """What a figure calls it."""

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

    def is_identity(self, *inputs: Shape) -> bool:
        is_point = (self.kernel_size, self.stride) == ((1, 1), (1, 1))
        return is_point and self.infer_shape(*inputs) == inputs[0]

    def sees(self, *inputs: Shape) -> Window:
        begins = window_begins(inputs[0], self.kernel_size, self.stride, self.padding)
        return Window(self.kernel_size, self.stride, begins=begins)

    def words(self, shown: Shown) -> Words:
        details = shown.stride(self.stride) + shown.padding(self.padding)
        details += shown.named("ceil", "ceil if") or (["ceil"] if self.ceil else [])
        return f"{shown('kernel_size', self.kernel_size)} {self.word}", details

    def least_grid(self) -> Pair:
        return least_window(self.kernel_size, self.padding)


@dataclass(frozen=True)
class MaxPool2d(_WindowPool):
    """Maximum over a window; padding counts as minus infinity, never as zero.

    Shape: `(N, C, H, W) -> (N, C, H', W')`, with H' and W' as for a convolution.
    """

    kind: ClassVar[str] = "MaxPool2d"
    word = "MaxPool"


@dataclass(frozen=True)
class AvgPool2d(_WindowPool):
    """Mean over a window.

    Padding is left out of the mean unless `count_include_pad`: TensorFlow's rule, which the
    paper's networks were trained with (FACTS E4); PyTorch's own default is the opposite.
    Shape: `(N, C, H, W) -> (N, C, H', W')`, with H' and W' as for a convolution.
    """

    kind: ClassVar[str] = "AvgPool2d"
    word = "AvgPool"

    count_include_pad: bool = False

    def words(self, shown: Shown) -> Words:
        words, details = super().words(shown)
        is_counted = self.count_include_pad and self.padding != ((0, 0), (0, 0))
        counted = ["padding counted"] if is_counted else []
        return words, details + (shown.named("count_include_pad", "padding counted if") or counted)


@dataclass(frozen=True)
class GlobalPool2d(Op):
    """Mean or maximum over the whole map, whatever its size.

    Shape: `(N, C, H, W) -> (N, C)`, or `(N, C, 1, 1)` with `keep_grid`.
    """

    kind: ClassVar[str] = "GlobalPool2d"
    drawn_as = "final_pool"

    function: Literal["avg", "max"] = "avg"
    keep_grid: bool = False

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one_map(inputs, "global pooling")
        return Shape((shape.channels, 1, 1) if self.keep_grid else (shape.channels,))

    def known_shape(self, *inputs: Shape) -> Shape:
        return Shape((*known_vector(inputs), *((1, 1) if self.keep_grid else ())))

    def sees(self, *inputs: Shape) -> Reach:
        return Reach.MAP

    def words(self, shown: Shown) -> Words:
        words = "Average Pooling" if self.function == "avg" else "Max Pooling"
        return words, shown.named("keep_grid", "1x1 if") or (["1x1"] if self.keep_grid else [])


@dataclass(frozen=True)
class AdaptiveAvgPool2d(Op):
    """Mean over the cells of a fixed grid: cell i of n covers rows floor(i*H/n) to ceil((i+1)*H/n).

    Shape: `(N, C, H, W) -> (N, C, height, width)`.
    """

    kind: ClassVar[str] = "AdaptiveAvgPool2d"
    drawn_as = "final_pool"

    output_size: Pair

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one_map(inputs, "adaptive pooling")
        return Shape((shape.channels, *self.output_size))

    def sees(self, *inputs: Shape) -> Reach:
        return Reach.MAP

    def words(self, shown: Shown) -> Words:
        return "Average Pooling", [f"to {shown('output_size', self.output_size)}"]


class MaxPoolLayer(Layer):
    """Maximum over a window; padding counts as minus infinity."""

    op = "max_pool"
    max_pool: Kernel
    """kernel, height x width"""
    stride: Kernel = 1
    padding: Padding = "same"
    ceil: Flag = False
    """round the output size up (a window that would start in the padding is dropped)"""

    def operations(self, fields: Fields) -> Parts:
        return [("", MaxPool2d(*_window(fields, "max_pool")))]


class AvgPoolLayer(Layer):
    """Mean over a window."""

    op = "avg_pool"
    avg_pool: Kernel
    """kernel, height x width"""
    stride: Kernel = 1
    padding: Padding = "same"
    ceil: Flag = False
    """round the output size up (a window that would start in the padding is dropped)"""
    count_include_pad: Flag = False
    """true: padding counts as zeros in the mean"""

    def operations(self, fields: Fields) -> Parts:
        window = _window(fields, "avg_pool")
        return [("", AvgPool2d(*window, fields.flag("count_include_pad")))]


def _window(fields: Fields, op: str) -> tuple[Pair, Pair, Pads | Literal["same"], bool]:
    """Return kernel, stride, padding and rounding of a pooling."""
    kernel = fields.pair(op, "kernel_size") or (1, 1)
    return (
        kernel,
        fields.pair("stride", "stride") or (1, 1),
        fields.padding(op, kernel) or "same",
        fields.flag("ceil"),
    )


class GlobalAvgPoolLayer(Layer):
    """Mean over the whole map, whatever its size."""

    op = "global_avg_pool"
    bare = True
    global_avg_pool: Bare
    keep_grid: Flag = False
    """true: keep a 1x1 map instead of a vector"""

    def operations(self, fields: Fields) -> Parts:
        return [("", GlobalPool2d("avg", fields.flag("keep_grid")))]


class GlobalMaxPoolLayer(Layer):
    """Maximum over the whole map."""

    op = "global_max_pool"
    bare = True
    global_max_pool: Bare
    keep_grid: Flag = False
    """true: keep a 1x1 map instead of a vector"""

    def operations(self, fields: Fields) -> Parts:
        return [("", GlobalPool2d("max", fields.flag("keep_grid")))]


class AdaptiveAvgPoolLayer(Layer):
    """Mean over the cells of a fixed grid."""

    op = "adaptive_avg_pool"
    adaptive_avg_pool: Kernel
    """output grid, height x width"""

    def operations(self, fields: Fields) -> Parts:
        return [("", AdaptiveAvgPool2d(fields.pair("adaptive_avg_pool", "output_size") or (1, 1)))]
