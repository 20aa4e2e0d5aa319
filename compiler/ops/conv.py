"""Convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from compiler.graph import (
    Dim,
    Op,
    Pads,
    Pair,
    Shape,
    ShapeError,
    check_window,
    floor_divide,
    one_map,
    plus,
    same_pads,
    same_size,
    times,
    window_size,
)


@dataclass(frozen=True)
class Conv2d(Op):
    """2-D convolution (cross-correlation, as every framework computes it).

    Shape: `(N, C, H, W) -> (N, out_channels, H', W')`. Valid or explicit padding:
    `H' = (H + top + bottom - dilation*(kernel-1) - 1) // stride + 1`; `same` is TensorFlow's
    rule, `H' = ceil(H / stride)`, with the odd pixel of padding at the bottom and right.
    Weights are (out_channels, C / groups, kernel height, kernel width).
    """

    kind: ClassVar[str] = "Conv2d"

    out_channels: int
    """Number of filters; 0 where an error in the spec made it unknown."""
    kernel_size: Pair
    """(height, width)."""
    stride: Pair = (1, 1)
    padding: Pads | Literal["same"] = "same"
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = True

    def pads(self, shape: Shape) -> Pads:
        """Return the padding in numbers for an input of `shape` (C, H, W).

        Raises:
            ValueError: strided `same` padding depends on a grid that is not a number.
        """
        if self.padding != "same":
            return self.padding
        return window_pads(shape, self.kernel_size, self.stride, self.dilation)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return ("weight", "bias") if self.bias else ("weight",)

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one_map(inputs, "a convolution")
        self._check_groups(shape)
        out = window_grid(shape, self.kernel_size, self.stride, self.padding, self.dilation)
        check_window(
            shape, self.kernel_size, self.least_grid(), out, "a kernel", dilation=self.dilation
        )
        return Shape((self.out_channels or None, *out))

    def _check_groups(self, shape: Shape) -> None:
        for count, side in ((shape.channels, "input"), (self.out_channels, "output")):
            if isinstance(count, int) and count % self.groups:
                raise ShapeError(
                    f"{count} {side} channels cannot be split into {self.groups} groups "
                    f"({count} % {self.groups} = {count % self.groups})",
                    "groups-mismatch",
                    f"choose groups that divide {count}",
                )

    def least_grid(self) -> Pair:
        return least_window(self.kernel_size, self.padding, self.dilation)

    def _per_filter(self, shape: Shape) -> Dim:
        return times(floor_divide(shape.channels, 0, self.groups), *self.kernel_size)

    def count_params(self, *inputs: Shape) -> Dim:
        per_filter = plus((self._per_filter(inputs[0]), int(self.bias)))
        return times(self.out_channels or None, per_filter)

    def count_macs(self, inputs: tuple[Shape, ...], output: Shape) -> Dim:
        return times(self.out_channels or None, self._per_filter(inputs[0]), *output.grid)


def window_pads(shape: Shape, kernel: Pair, stride: Pair, dilation: Pair) -> Pads:
    """Return SAME padding in numbers; with stride 1 or a kernel of 1 no grid changes it.

    Raises:
        ValueError: it depends on a size that is left open.
    """
    out = []
    for size, k, s, d in zip(shape.grid, kernel, stride, dilation, strict=True):
        if s != 1 and k != 1 and not isinstance(size, int):
            raise ValueError(f"same padding with stride {s} depends on the size {size}")
        out.append(same_pads(size if isinstance(size, int) else 10**9, k, s, d))
    return out[0], out[1]


def window_grid(
    shape: Shape,
    kernel: Pair,
    stride: Pair,
    padding: Pads | Literal["same"],
    dilation: Pair = (1, 1),
    ceil: bool = False,
) -> tuple[Dim, Dim]:
    """Return the output height and width of a sliding window."""
    height, width = shape.grid
    if padding == "same":
        return same_size(height, stride[0]), same_size(width, stride[1])
    return (
        window_size(height, kernel[0], stride[0], padding[0], dilation[0], ceil),
        window_size(width, kernel[1], stride[1], padding[1], dilation[1], ceil),
    )


def least_window(kernel: Pair, padding: Pads | Literal["same"], dilation: Pair = (1, 1)) -> Pair:
    """Return the smallest grid on which a window fits."""
    if padding == "same":
        return (1, 1)
    least = [
        max(1, d * (k - 1) + 1 - sum(p)) for k, p, d in zip(kernel, padding, dilation, strict=True)
    ]
    return least[0], least[1]
