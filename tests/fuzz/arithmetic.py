"""Shapes, parameters and multiply-accumulates of one operation, from their definitions.

Nothing here calls the compiler's window arithmetic: an error there shows as a difference.
"""

from __future__ import annotations

from math import prod

import numpy as np

from compiler.graph import Shape, ShapeError
from compiler.ops import (
    Activation,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    GlobalPool2d,
    Identity,
    LayerScale,
    Linear,
    Maximum,
    MaxPool2d,
    Multiply,
    Norm,
    Normalize,
    Op,
    PReLU,
    Scale,
    Softmax,
    Subtract,
)
from tests.oracle.numpy_oracle import apply

Sizes = tuple[int, ...]
"""The sizes of one sample, channels first."""

KEEPING = (
    *(Activation, Add, BatchNorm, Dropout, Identity, Maximum, Multiply, Normalize, PReLU, Scale),
    *(Softmax, Subtract),
)
"""Operations that leave the sizes of their operands."""


class Invalid(Exception):
    """The spec means no network; the text says why."""


def need(holds: bool, why: str) -> None:
    """Raise `Invalid` where something does not hold."""
    if not holds:
        raise Invalid(why)


def sizes_after(op: Op, operands: list[Sizes]) -> Sizes:
    """Return the sizes that leave an operation.

    Raises:
        Invalid: the operands do not fit.
    """
    first = operands[0]
    out = _sizes(op, first, operands)
    need(min(out) >= 1, f"{op.kind} leaves {out}")
    return out


def _sizes(op: Op, first: Sizes, operands: list[Sizes]) -> Sizes:
    match op:
        case Conv2d():
            need(len(first) == 3, "a convolution of a vector")
            need(first[0] % op.groups == 0 == op.out_channels % op.groups, "groups do not divide")
            return (op.out_channels, *_windows(first, op, op.dilation))
        case MaxPool2d() | AvgPool2d():
            need(len(first) == 3, "a pooling of a vector")
            if op.padding != "same":
                halves = [(max(p), k // 2) for p, k in zip(op.padding, op.kernel_size, strict=True)]
                need(all(p <= k for p, k in halves), "more padding than half the window")
            return (first[0], *_windows(first, op, (1, 1), op.ceil))
        case GlobalPool2d():
            need(len(first) == 3, "a global pooling of a vector")
            return (first[0], 1, 1) if op.keep_grid else (first[0],)
        case AdaptiveAvgPool2d():
            need(len(first) == 3, "a vector on another grid")
            return (first[0], *op.output_size)
        case Linear():
            need(len(first) == 1, "a linear layer of a map")
            return (op.out_features,)
        case Flatten():
            return (prod(first),)
        case Concat():
            need(len({s[1:] for s in operands}) == 1, "grids that differ in a concat")
            return (sum(s[0] for s in operands), *first[1:])
    return _kept(op, operands) if isinstance(op, KEEPING) else _as_the_oracle(op, operands)


def _kept(op: Op, operands: list[Sizes]) -> Sizes:
    first = operands[0]
    need(not isinstance(op, Normalize) or len(first) == 1, "a map to normalize")
    need(not isinstance(op, Subtract) or len(operands) == 2, "a difference of two")
    if isinstance(op, Multiply):
        operands = [_spread(s, first) for s in operands]
    need(len(set(operands)) == 1, f"operands of {op.kind} that differ")
    return first


def _spread(sizes: Sizes, first: Sizes) -> Sizes:
    if len(sizes) != 3 or len(first) != 3:
        return sizes
    channels = first[0] if sizes[0] == 1 else sizes[0]
    return (channels, *(first[1:] if sizes[1:] == (1, 1) else sizes[1:]))


def _as_the_oracle(op: Op, operands: list[Sizes]) -> Sizes:
    """Return what the oracle makes of operands that an operation takes."""
    try:
        said = op.infer_shape(*map(Shape, operands)).numbers
    except ShapeError as error:
        raise Invalid(str(error)) from None
    tensors = op.tensor_shapes(operands[0][0]).items()
    weights = {name: np.ones(shape) for name, shape in tensors}
    made = apply(op, [np.zeros((1, *sizes)) for sizes in operands], weights).shape[1:]
    assert made == said, f"{op.kind} gives {made} in tests/oracle, its shape rule says {said}"
    return said


def _windows(
    first: Sizes, op: Conv2d | MaxPool2d | AvgPool2d, dilation: Sizes, ceil: bool = False
) -> Sizes:
    """Return the grid of a sliding window by counting where it can start."""
    out = []
    for axis in (0, 1):
        size, kernel, stride = first[1 + axis], op.kernel_size[axis], op.stride[axis]
        if op.padding == "same":
            out.append(len(range(0, size, stride)))
            continue
        before, after = op.padding[axis]
        reach = dilation[axis] * (kernel - 1) + 1
        room = before + size + after - reach
        need(room >= 0, f"a window of {reach} on {size}")
        starts = range(0, room + 1, stride)
        count = len(starts)
        if ceil and starts[-1] < room:
            count += starts[-1] + stride < before + size  # it must not start in the padding
        out.append(count)
    return tuple(out)


def count_parameters(op: Op, operands: list[Sizes]) -> int:
    """Return the learnable elements of an operation."""
    channels = operands[0][0] if operands else 0
    match op:
        case Conv2d():
            return op.out_channels * (channels // op.groups * prod(op.kernel_size) + op.bias)
        case Linear():
            return op.out_features * (channels + op.bias)
        case ConvTranspose2d():
            per_channel = op.out_channels // op.groups * prod(op.kernel_size)
            return channels * per_channel + op.out_channels * op.bias
        case Norm():
            return channels * (op.scale + op.shift)
        case PReLU():
            return channels if op.slopes == "channels" else 1
        case LayerScale():
            return channels
    return 0


def count_macs(op: Op, operands: list[Sizes], out: Sizes) -> int:
    """Return the multiply-accumulates of an operation for one sample."""
    match op:
        case Conv2d():
            return prod(out) * (operands[0][0] // op.groups) * prod(op.kernel_size)
        case ConvTranspose2d():
            return prod(operands[0]) * (op.out_channels // op.groups) * prod(op.kernel_size)
        case Linear():
            return out[0] * operands[0][0]
    return 0
