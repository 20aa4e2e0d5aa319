"""Convolution."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from compiler.errors import Diagnostic
from compiler.graph import (
    Dim,
    Op,
    Pads,
    Pair,
    Shape,
    ShapeError,
    Shown,
    Traced,
    Window,
    Words,
    check_window,
    floor_divide,
    one_map,
    pair_text,
    plus,
    same_pads,
    same_size,
    times,
    window_size,
)
from compiler.ops.activation import ActivationName, then
from compiler.ops.layer import Fields, Layer, Parts
from compiler.ops.norm import NormName, norm_after
from compiler.text.fields import Count, Flag, Groups, Kernel, Padding


@dataclass(frozen=True)
class Conv2d(Op):
    """2-D convolution (cross-correlation, as every framework computes it).

    Shape: `(N, C, H, W) -> (N, out_channels, H', W')`. Valid or explicit padding:
    `H' = (H + top + bottom - dilation*(kernel-1) - 1) // stride + 1`; `same` is TensorFlow's
    rule, `H' = ceil(H / stride)`, with the odd pixel of padding at the bottom and right.
    Weights are (out_channels, C / groups, kernel height, kernel width).
    """

    kind: ClassVar[str] = "Conv2d"
    drawn_as = "conv"
    width_key = "filters"

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

    def tensor_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        weight = (self.out_channels, channels // self.groups, *self.kernel_size)
        return {"weight": weight} | ({"bias": (self.out_channels,)} if self.bias else {})

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one_map(inputs, "a convolution")
        check_groups(shape, self)
        out = window_grid(shape, self.kernel_size, self.stride, self.padding, self.dilation)
        check_window(
            shape, self.kernel_size, self.least_grid(), out, "a kernel", dilation=self.dilation
        )
        return Shape((self.out_channels or None, *out))

    def known_shape(self, *inputs: Shape) -> Shape:
        return Shape((self.out_channels or None, None, None))

    def sees(self, *inputs: Shape) -> Window:
        begins = window_begins(
            inputs[0], self.kernel_size, self.stride, self.padding, self.dilation
        )
        return Window(self.kernel_size, self.stride, self.dilation, begins)

    def words(self, shown: Shown) -> Words:
        details = words_of_window(self, shown)
        return f"{shown('kernel_size', self.kernel_size)} Conv", details

    def least_grid(self) -> Pair:
        return least_window(self.kernel_size, self.padding, self.dilation)

    def _per_filter(self, shape: Shape) -> Dim:
        return times(floor_divide(shape.channels, 0, self.groups), *self.kernel_size)

    def count_params(self, *inputs: Shape) -> Dim:
        per_filter = plus((self._per_filter(inputs[0]), int(self.bias)))
        return times(self.out_channels or None, per_filter)

    def count_macs(self, inputs: tuple[Shape, ...], output: Shape) -> Dim:
        return times(self.out_channels or None, self._per_filter(inputs[0]), *output.grid)


class Convolution(Protocol):
    """What a convolution and a transposed one have in common."""

    @property
    def out_channels(self) -> int: ...
    @property
    def stride(self) -> Pair: ...
    @property
    def padding(self) -> Pads | Literal["same"]: ...
    @property
    def dilation(self) -> Pair: ...
    @property
    def groups(self) -> int: ...


def check_groups(shape: Shape, op: Convolution) -> None:
    """Refuse groups that do not divide the channels.

    Raises:
        ShapeError: `groups-mismatch`.
    """
    for count, side in ((shape.channels, "input"), (op.out_channels, "output")):
        if isinstance(count, int) and count % op.groups:
            raise ShapeError(
                f"{count} {side} channels cannot be split into {op.groups} groups "
                f"({count} % {op.groups} = {count % op.groups})",
                "groups-mismatch",
                f"choose groups that divide {count}"
                + (f", or a multiple of {op.groups} filters" if side == "output" else ""),
            )


def words_of_window(op: Convolution, shown: Shown) -> list[str]:
    """Return the words for the filters of a convolution, and for all that is not as usual."""
    details = [shown("out_channels", op.out_channels) if op.out_channels else "?"]
    details += shown.stride(op.stride)
    if op.dilation != (1, 1) or shown.named("dilation"):
        details.append(f"dilation {shown.written.get('dilation') or pair_text(op.dilation)}")
    if op.groups != 1 or shown.named("groups"):
        groups = shown("groups", op.groups)
        details.append(groups if groups == "depthwise" else f"groups {groups}")
    return details + shown.padding(op.padding)


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


def window_begins(
    shape: Shape,
    kernel: Pair,
    stride: Pair,
    padding: Pads | Literal["same"],
    dilation: Pair = (1, 1),
) -> tuple[int | None, int | None]:
    """Return the padding above and to the left; None where it depends on an open size."""
    try:
        pads = window_pads(shape, kernel, stride, dilation) if padding == "same" else padding
    except ValueError:
        return None, None
    (top, _), (left, _) = pads
    return top, left


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


class ConvLayer(Layer):
    """2-D convolution."""

    op = "conv"
    mostly = ("filters",)
    conv: Kernel
    """kernel, height x width"""
    filters: Count | None = None
    """number of output channels; needed here or in the network's `defaults`"""
    stride: Kernel = 1
    padding: Padding = "same"
    dilation: Kernel = 1
    groups: Groups = 1
    """groups, or `depthwise`: one for each input channel"""
    bias: Flag | None = None
    """default: true exactly where no norm follows"""
    norm: NormName = "none"
    """`batch_norm`, `layer_norm`, `instance_norm`, `{group_norm: 32}` or `none`"""
    activation: ActivationName = "none"
    linear: Flag = False
    """true: no norm and no activation whatever the defaults say, and a bias"""

    def operations(self, fields: Fields) -> Parts:
        linear = fields.flag("linear")
        if self.linear is True:
            self._check_linear(fields)
        norm = None if linear else norm_after(fields)
        function = "none" if linear else fields.activation("activation")
        kernel = fields.pair("conv", "kernel_size") or (1, 1)
        dilation = fields.pair("dilation", "dilation") or (1, 1)
        op = Conv2d(
            out_channels=fields.integer("filters", "out_channels") or 0,
            kernel_size=kernel,
            stride=fields.pair("stride", "stride") or (1, 1),
            padding=fields.padding("conv", kernel, dilation) or "same",
            dilation=dilation,
            groups=groups_of(fields),
            bias=norm is None if fields.raw("bias") is None else fields.flag("bias"),
        )
        parts: Parts = [("conv", op)]
        if norm is not None:
            parts.append(("norm", norm))
        return parts + then(function)

    def _check_linear(self, fields: Fields) -> None:
        """Refuse a norm or an activation that the layer itself asks for, and leaves out."""
        for key in ("norm", "activation"):
            if self.says(key) and fields.raw(key) != "none":
                message = f"`linear: true` leaves out the `{key}` that `conv` asks for"
                help = f"take out `linear`, or `{key}`"
                fields.report.add(Diagnostic("bad-value", message, self.span(key), help=help))


def groups_of(fields: Fields) -> int:
    """Return the groups of a convolution; `depthwise` is as many as channels come in."""
    if fields.raw("groups") != "depthwise":
        return fields.integer("groups", "groups") or 1
    fields.traced["groups"] = Traced("depthwise")
    return fields.channels or 1
