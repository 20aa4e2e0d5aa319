"""Convolution, its padding, and the helpers for padding that torch does not take."""

from __future__ import annotations

from dataclasses import dataclass

from backends.torch.expressions import Call, Code
from backends.torch.ops.emitted import Helper
from backends.torch.ops.spelling import AttributeWriter, module, size
from compiler.graph import Pads, Pair
from compiler.ops import AvgPool2d, Conv2d, ConvTranspose2d, MaxPool2d

HELPERS: dict[str, Helper] = {
    "same_pads": Helper(
        '''
def same_pads(
    x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...] = (1, 1)
) -> list[int]:
    """Return TensorFlow's SAME padding (left, right, top, bottom); the odd pixel comes last."""
    pads: list[int] = []
    for axis in (1, 0):
        n, k, s, d = x.shape[2 + axis], kernel[axis], stride[axis], dilation[axis]
        overlap = d * (k - 1) + 1 - s
        total = overlap + -n % s
        if overlap < 0:
            total = max(0, total)
        pads += [total // 2, total - total // 2]
    return pads
'''
    ),
    "SameConv2d": Helper(
        '''
class SameConv2d(nn.Conv2d):
    """Convolution whose SAME padding depends on the size of its input."""

    def forward(self, input: Tensor) -> Tensor:
        """Pad, then convolve."""
        pads = same_pads(input, self.kernel_size, self.stride, self.dilation)
        return super().forward(F.pad(input, pads))
''',
        ("same_pads",),
        ("F",),
    ),
    "PaddedConv2d": Helper(
        '''
class PaddedConv2d(nn.Conv2d):
    """Convolution behind uneven padding (left, right, top, bottom)."""

    def __init__(self, *args: Any, pads: tuple[int, int, int, int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pads = pads

    def forward(self, input: Tensor) -> Tensor:
        """Pad, then convolve."""
        return super().forward(F.pad(input, self.pads))
''',
        imports=("F", "Any"),
    ),
    "CutConvTranspose2d": Helper(
        '''
class CutConvTranspose2d(nn.ConvTranspose2d):
    """Transposed convolution whose output is cut (left, right, top, bottom)."""

    def __init__(self, *args: Any, cut: tuple[int, int, int, int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cut = cut

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve, then cut."""
        return F.pad(super().forward(input, output_size), [-size for size in self.cut])
''',
        imports=("F", "Any"),
    ),
}


@dataclass(frozen=True, slots=True)
class Padding:
    """How a window's padding is written.

    kind   `plain`: numbers that torch takes; `fixed`: explicit, uneven; `same`: from the size
    """

    kind: str
    plain: Pair = (0, 0)
    fixed: tuple[int, ...] = ()
    """(left, right, top, bottom), in the order of `F.pad`."""


def padding_of(op: Conv2d | MaxPool2d | AvgPool2d) -> Padding:
    """Return how to write the padding of a convolution or pooling.

    With stride 1, or a kernel of 1, SAME padding is the same for every input size. Else it is
    computed in forward, because torch refuses `padding="same"` with a stride
    (pytorch/pytorch#67551) and because the odd pixel comes last.
    """
    pads = op.padding
    if pads == "same":
        dilation = op.dilation if isinstance(op, Conv2d) else (1, 1)
        reach = [d * (k - 1) for k, d in zip(op.kernel_size, dilation, strict=True)]
        if any(r > 0 and s > 1 for r, s in zip(reach, op.stride, strict=True)):
            return Padding("same")
        pads = _halves(reach[0]), _halves(reach[1])
    return _explicit(pads)


def _halves(total: int) -> Pair:
    return total // 2, total - total // 2


def _explicit(pads: Pads) -> Padding:
    (top, bottom), (left, right) = pads
    if top == bottom and left == right:
        return Padding("plain", (top, left))
    return Padding("fixed", fixed=(left, right, top, bottom))


@module.register
def _(op: Conv2d, site: AttributeWriter) -> Code:
    name, args = conv_arguments(op, site)
    if op.bias is False:
        args.append(("bias", "False"))
    return Call(name, tuple(args))


def conv_arguments(op: Conv2d, site: AttributeWriter) -> tuple[str, list[tuple[str, Code]]]:
    """Return the class of a convolution and its arguments but `bias`."""
    padding = padding_of(op)
    # The padding is worked out from these; as arguments they could change without it.
    is_single = op.kernel_size == (1, 1) and not site.follows("kernel_size")
    is_free = padding.kind == "same" or op.padding != "same" or is_single

    def is_written(attribute: str, is_usual: bool) -> bool:
        return not is_usual or (is_free and site.follows(attribute))

    args: list[tuple[str, Code]] = [
        ("", site.channels().text),
        ("", site.symbol("out_channels", op.out_channels).text),
        ("", site.pair("kernel_size", op.kernel_size) if is_free else size(op.kernel_size)),
    ]
    if is_written("stride", op.stride == (1, 1)):
        args.append(("stride", site.pair("stride", op.stride) if is_free else size(op.stride)))
    if padding.kind == "plain" and op.padding != "same" and site.follows("padding"):
        args.append(("padding", site.pair("padding", padding.plain)))
    elif padding.plain != (0, 0):
        args.append(("padding", size(padding.plain)))
    if is_written("dilation", op.dilation == (1, 1)):
        dilation = site.pair("dilation", op.dilation) if is_free else size(op.dilation)
        args.append(("dilation", dilation))
    if op.groups != 1 or site.follows("groups") or site.is_depthwise:
        args.append(("groups", _groups(op, site)))
    if padding.kind == "fixed":
        args.append(("pads", str(padding.fixed)))
    names = {"plain": "nn.Conv2d", "fixed": "PaddedConv2d", "same": "SameConv2d"}
    name = names[padding.kind]
    return name if padding.kind == "plain" else site.helper(name), args


def _groups(op: Conv2d | ConvTranspose2d, site: AttributeWriter) -> str:
    """A depthwise convolution has as many groups as channels come in, whatever their number."""
    return site.channels().text if site.is_depthwise else site.symbol("groups", op.groups).text


@module.register
def _(op: ConvTranspose2d, site: AttributeWriter) -> Code:
    name, args = transposed_arguments(op, site)
    if op.bias is False:
        args.append(("bias", "False"))
    return Call(name, tuple(args))


def transposed_arguments(
    op: ConvTranspose2d, site: AttributeWriter
) -> tuple[str, list[tuple[str, Code]]]:
    """Return the class of a transposed convolution and its arguments but `bias`.

    torch cuts the same from both sides: what is more at one of them is cut afterwards.
    """
    (top, bottom), (left, right) = op.pads
    even = min(top, bottom), min(left, right)
    is_even = (top, left) == (bottom, right)
    is_free = op.padding != "same"  # else it is worked out from these

    def written(attribute: str, value: Pair) -> Code:
        return site.pair(attribute, value) if is_free else size(value)

    args: list[tuple[str, Code]] = [
        ("", site.channels().text),
        ("", site.symbol("out_channels", op.out_channels).text),
        ("", written("kernel_size", op.kernel_size)),
    ]
    for attribute, value, usual in (("stride", op.stride, 1), ("dilation", op.dilation, 1)):
        if value != (usual, usual) or (is_free and site.follows(attribute)):
            args.append((attribute, written(attribute, value)))
    if is_even and is_free and site.follows("padding"):
        args.append(("padding", site.pair("padding", even)))
    elif even != (0, 0):
        args.append(("padding", size(even)))
    if op.grown != (0, 0) or (is_free and site.follows("output_padding")):
        args.append(("output_padding", written("output_padding", op.grown)))
    if op.groups != 1 or site.follows("groups") or site.is_depthwise:
        args.append(("groups", _groups(op, site)))
    if is_even:
        return "nn.ConvTranspose2d", args
    cut = (left - even[1], right - even[1], top - even[0], bottom - even[0])
    return site.helper("CutConvTranspose2d"), [*args, ("cut", str(cut))]
