"""Transposed convolution."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from dataclasses import dataclass
from typing import ClassVar, Literal

from compiler.errors import Diagnostic
from compiler.graph import (
    Dim,
    Op,
    Pads,
    Pair,
    Shape,
    ShapeError,
    Shown,
    Spread,
    Words,
    fixed_channels,
    one_map,
    pair_text,
    plus,
    times,
)
from compiler.ops.activation import ActivationName, then
from compiler.ops.conv import check_groups, groups_of, words_of_window
from compiler.ops.layer import Fields, Layer, Parts
from compiler.ops.norm import NormName, norm_after
from compiler.text.fields import Count, Extra, Flag, Groups, Kernel, Padding


@dataclass(frozen=True)
class ConvTranspose2d(Op):
    """2-D transposed convolution: every pixel of the input adds a kernel to the output.

    Shape: `(N, C, H, W) -> (N, out_channels, H', W')`,
    `H' = (H-1)*stride + dilation*(kernel-1) + 1 - top - bottom + output_padding`: padding is cut
    off, as in torch, and `same` is TensorFlow's rule, `H' = H*stride`, whose odd pixel is cut at
    the bottom and right. Weights are (C, out_channels / groups, kernel height, kernel width).
    """

    kind: ClassVar[str] = "ConvTranspose2d"
    drawn_as = "conv"
    width_key = "filters"

    out_channels: int
    """Number of filters; 0 where an error in the spec made it unknown."""
    kernel_size: Pair
    """(height, width)."""
    stride: Pair = (1, 1)
    padding: Pads | Literal["same"] = "same"
    output_padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = True

    @property
    def _reach(self) -> Pair:
        height, width = (
            d * (k - 1) + 1 for k, d in zip(self.kernel_size, self.dilation, strict=True)
        )
        return height, width

    @property
    def pads(self) -> Pads:
        """What is cut off in numbers; `same` depends on no size of the input."""
        if self.padding != "same":
            return self.padding
        rows, columns = (
            (max(0, reach - s) // 2, -(-max(0, reach - s) // 2))
            for reach, s in zip(self._reach, self.stride, strict=True)
        )
        return rows, columns

    @property
    def grown(self) -> Pair:
        """Rows and columns that are added at the end: the output padding."""
        if self.padding != "same":
            return self.output_padding
        height, width = (
            max(0, s - reach) for reach, s in zip(self._reach, self.stride, strict=True)
        )
        return height, width

    def tensor_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        weight = (channels, self.out_channels // self.groups, *self.kernel_size)
        return {"weight": weight} | ({"bias": (self.out_channels,)} if self.bias else {})

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one_map(inputs, "a transposed convolution")
        check_groups(fixed_channels(shape, "a transposed convolution"), self)
        self._check_output_padding()
        axes = zip(shape.grid, self.stride, self._more, strict=True)
        height, width = (plus((times(size, s), more)) for size, s, more in axes)
        if any(isinstance(size, int) and size < 1 for size in (height, width)):
            raise ShapeError(
                f"the padding cuts everything off: {height}x{width} is left",
                "empty-output",
                "lower the padding",
            )
        return Shape((self.out_channels or None, height, width))

    @property
    def _more(self) -> Pair:
        """What the output is larger than the input times the stride."""
        axes = zip(self._reach, self.stride, self.pads, self.grown, strict=True)
        height, width = (reach - s - sum(cut) + more for reach, s, cut, more in axes)
        return height, width

    def _check_output_padding(self) -> None:
        """Refuse what torch refuses: pixels that no kernel could reach at another input size."""
        axes = zip(self.output_padding, self.stride, self.dilation, strict=True)
        if any(more >= max(s, d) for more, s, d in axes):
            raise ShapeError(
                f"an output padding of {pair_text(self.output_padding)} is not less than the "
                f"stride {pair_text(self.stride)} or the dilation {pair_text(self.dilation)}",
                "bad-value",
                "it is 0 or less than the stride",
            )

    def known_shape(self, *inputs: Shape) -> Shape:
        return Shape((self.out_channels or None, None, None))

    def sees(self, *inputs: Shape) -> Spread:
        (top, _), (left, _) = self.pads
        axes = tuple(zip((top, left), self.stride, self._reach, strict=True))
        begins = tuple(before - reach + s for before, s, reach in axes)
        return Spread(self.stride, (begins[0], begins[1]), (top, left))

    def words(self, shown: Shown) -> Words:
        details = words_of_window(self, shown)
        if self.output_padding != (0, 0) or shown.named("output_padding"):
            more = shown.written.get("output_padding") or pair_text(self.output_padding)
            details.append(f"output padding {more}")
        return f"{shown('kernel_size', self.kernel_size)} Transposed conv", details

    def least_grid(self) -> Pair:
        height, width = (
            max(1, -((more - 1) // s)) for more, s in zip(self._more, self.stride, strict=True)
        )
        return height, width

    def _per_channel(self) -> Dim:
        return times(self.out_channels // self.groups or None, *self.kernel_size)

    def count_params(self, *inputs: Shape) -> Dim:
        biases = self.out_channels if self.bias else 0
        return plus((times(inputs[0].channels, self._per_channel()), biases))

    def count_macs(self, inputs: tuple[Shape, ...], output: Shape) -> Dim:
        """Every pixel of the input is multiplied with every weight of its channel."""
        return times(*inputs[0], self._per_channel())


class ConvTransposeLayer(Layer):
    """2-D transposed convolution ("deconvolution"); its padding is cut off the output."""

    op = "conv_transpose"
    mostly = ("filters",)
    conv_transpose: Kernel
    """kernel, height x width"""
    filters: Count | None = None
    """number of output channels; needed here or in the network's `defaults`"""
    stride: Kernel = 1
    padding: Padding = "same"
    """`same`: the output is stride times as large; `V` and numbers are torch's"""
    output_padding: Extra = 0
    """rows and columns more at the bottom and right, less than the stride"""
    dilation: Kernel = 1
    groups: Groups = 1
    """groups, or `depthwise`: one for each input channel"""
    bias: Flag | None = None
    """default: true exactly where no norm follows"""
    norm: NormName = "none"
    """as for `conv`"""
    activation: ActivationName = "none"

    def operations(self, fields: Fields) -> Parts:
        norm = norm_after(fields)
        function = fields.activation("activation")
        kernel = fields.pair("conv_transpose", "kernel_size") or (1, 1)
        dilation = fields.pair("dilation", "dilation") or (1, 1)
        padding = fields.padding("conv_transpose", kernel, dilation) or "same"
        op = ConvTranspose2d(
            out_channels=fields.integer("filters", "out_channels") or 0,
            kernel_size=kernel,
            stride=fields.pair("stride", "stride") or (1, 1),
            padding=padding,
            output_padding=self._output_padding(fields, padding),
            dilation=dilation,
            groups=groups_of(fields),
            bias=norm is None if fields.raw("bias") is None else fields.flag("bias"),
        )
        parts: Parts = [("conv", op)]
        if norm is not None:
            parts.append(("norm", norm))
        return parts + then(function)

    def _output_padding(self, fields: Fields, padding: Pads | Literal["same"]) -> Pair:
        more = fields.pair("output_padding", "output_padding", 0) or (0, 0)
        if padding != "same" or more == (0, 0):
            return more
        where = fields.where("output_padding")
        message = "`output_padding` has no part in `same`, whose output is stride times as large"
        help = "take it out, or give the padding in numbers"
        span = where.span("output_padding")
        fields.report.add(Diagnostic("bad-value", message, span, help=help))
        return (0, 0)
