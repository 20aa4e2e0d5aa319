"""SAME padding of a window in ONNX: in numbers, or by the runtime where a size is left open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy.typing as npt

from backends.onnx.node_builder import INT64, NodeBuilder, TensorType
from compiler.graph import Pads
from compiler.ops import AvgPool2d, Conv2d, MaxPool2d

PAIR = TensorType(INT64, (2,))
"""The type of a height and width."""
VECTOR = TensorType(INT64, (4,))
"""The type of a shape, N x C x H x W."""


def onnx_order(pads: Pads) -> list[int]:
    """Return ((top, bottom), (left, right)) as ONNX has it: the begins, then the ends."""
    return [pads[0][0], pads[1][0], pads[0][1], pads[1][1]]


@dataclass(frozen=True, slots=True)
class Padding:
    """The operand of a window, and the padding attributes of its node, at most one of them."""

    source: str
    pads: list[int] | None = None
    auto_pad: str | None = None


def open_padding(
    op: Conv2d | MaxPool2d | AvgPool2d, builder: NodeBuilder, value: float
) -> Padding | None:
    """Return strided SAME padding of a size that is left open.

    It is `auto_pad` where ONNX Runtime implements it: it refuses `auto_pad` with a dilation, and a
    window smaller than its stride gets negative padding (1.32). There the operand is padded by
    `value`, as far as the runtime computes from its size, and is called `NAME/padded`.

    Returns:
        None where the padding is known in numbers.
    """
    try:
        op.pads(builder.shapes[0])
    except ValueError:
        pass
    else:
        return None
    is_dilated = isinstance(op, Conv2d) and op.dilation != (1, 1)
    if not is_dilated and all(k >= s for k, s in zip(op.kernel_size, op.stride, strict=True)):
        return Padding(builder.input, auto_pad="SAME_UPPER")
    amounts = _amounts(op, builder)
    made = builder.map(builder.shapes[0].channels, None, None)
    fill = builder.constant("fill", value)
    source = builder.emit("Pad", builder.input, amounts, fill, part="padded", made=made)
    return Padding(source, [0, 0, 0, 0])


def _amounts(op: Conv2d | MaxPool2d | AvgPool2d, builder: NodeBuilder) -> str:
    """Compute `total = max(0, (ceil(n / s) - 1) * s + d * (k - 1) + 1 - n)`, halved downwards.

    `ceil(n / s) - 1` is `(n - 1) // s`, and `last` is `n - 1`.
    """
    dilation = op.dilation if isinstance(op, Conv2d) else (1, 1)
    reach = [d * (k - 1) for k, d in zip(op.kernel_size, dilation, strict=True)]

    def number(part: str, value: npt.ArrayLike) -> str:
        return builder.constant(part, value, INT64)

    def pair(op_type: str, *inputs: str, part: str) -> str:
        return builder.emit(op_type, *inputs, part=part, made=PAIR)

    grid = builder.emit("Shape", builder.input, part="grid", made=PAIR, start=2, end=4)
    last = pair("Sub", grid, number("unit", [1, 1]), part="last")
    stride = number("stride", list(op.stride))
    start = pair("Mul", pair("Div", last, stride, part="steps"), stride, part="start")
    end = pair("Add", start, number("reach", reach), part="end")
    lacking = pair("Sub", end, last, part="lacking")
    total = pair("Max", lacking, number("none", [0, 0]), part="total")
    before = pair("Div", total, number("two", [2, 2]), part="before")
    after = pair("Sub", total, before, part="after")
    whole = number("whole", [0, 0])
    made = TensorType(INT64, (8,))
    return builder.emit("Concat", whole, before, whole, after, part="pads", made=made, axis=0)
