"""Graph -> what each unit of a map sees of the input: how much, from step to step, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compiler.graph import Graph, Op, Shape
from compiler.ops import Conv2d, GlobalPool2d, Input, Linear
from compiler.ops.pool import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d, Upsample


@dataclass(frozen=True, slots=True)
class Field:
    """The receptive field of a map along one axis, in input pixels.

    `size` is how many pixels a unit sees, `stride` how far its neighbour's are shifted, `offset`
    the centre of what the first unit sees, where the first pixel is 0. Padding counts as pixels
    around the image, so a field may begin before it. None where padding depends on an open size.
    """

    size: float
    stride: float
    offset: float | None

    def stepped(self, kernel: int, stride: int, dilation: int, before: int | None) -> Field:
        """Return the field behind a window: `r + (k - 1) * d * j`, `j * s`."""
        reach = (kernel - 1) * dilation
        offset = None
        if self.offset is not None and before is not None:
            offset = self.offset + (reach / 2 - before) * self.stride
        return Field(self.size + reach * self.stride, self.stride * stride, offset)


Fields = tuple[Field, Field]
"""Along the height and the width."""


def receptive_fields(graph: Graph) -> dict[str, Fields | None]:
    """Return node -> field; None behind what sees the whole map, and for vectors.

    Where paths meet, the field holds those of all of them.
    """
    out: dict[str, Fields | None] = {}
    for node in graph.nodes.values():
        if isinstance(node.op, Input):
            out[node.name] = (Field(1, 1, 0), Field(1, 1, 0)) if len(node.shape) == 3 else None
            continue
        before = [f for i in node.inputs if (f := out[i]) is not None]
        if not before or len(before) < len(node.inputs) or len(node.shape) == 1:
            out[node.name] = None
            continue
        height, width = (_around([f[axis] for f in before]) for axis in (0, 1))
        out[node.name] = _step(node.op, (height, width), graph.input_shapes(node)[0])
    return out


def _around(fields: Sequence[Field]) -> Field:
    """Return the field of the first unit of several maps of one size."""
    stride = max(f.stride for f in fields)
    places = [(f.offset, f.size) for f in fields if f.offset is not None]
    if len(places) < len(fields):
        return Field(max(f.size for f in fields), stride, None)
    first = min(offset - (size - 1) / 2 for offset, size in places)
    last = max(offset + (size - 1) / 2 for offset, size in places)
    return Field(last - first + 1, stride, (first + last) / 2)


def _step(op: Op, fields: Fields, shape: Shape) -> Fields | None:
    if isinstance(op, (GlobalPool2d, AdaptiveAvgPool2d, Linear)):
        return None
    if isinstance(op, Upsample):
        height, width = (Field(f.size, f.stride / op.factor, f.offset) for f in fields)
        return height, width
    if not isinstance(op, (Conv2d, MaxPool2d, AvgPool2d)):
        return fields
    dilation = op.dilation if isinstance(op, Conv2d) else (1, 1)
    begins = _begins(op, shape)
    axes = zip(fields, op.kernel_size, op.stride, dilation, begins, strict=True)
    height, width = (f.stepped(k, s, d, begin) for f, k, s, d, begin in axes)
    return height, width


def _begins(op: Conv2d | MaxPool2d | AvgPool2d, shape: Shape) -> tuple[int | None, int | None]:
    try:
        (top, _), (left, _) = op.pads(shape)
    except ValueError:  # SAME padding of a size that is left open
        return None, None
    return top, left
