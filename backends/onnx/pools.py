"""Pooling, upsampling and borders as ONNX nodes."""

from __future__ import annotations

from math import inf

import numpy as np
import numpy.typing as npt

from backends.onnx.node_builder import INT64, NodeBuilder, TensorType, spell
from backends.onnx.open_padding import PAIR, VECTOR, Padding, onnx_order, open_padding
from compiler.graph import Dim, Pads, Pair, show_sizes, window_size
from compiler.ops import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    Crop,
    GlobalPool2d,
    MaxPool2d,
    Pad,
    PixelShuffle,
    Upsample,
)

UNPADDED: Pads = ((0, 0), (0, 0))
Window = tuple[Pair, Pair]
"""Kernel and stride."""


@spell.register
def _(op: MaxPool2d, builder: NodeBuilder) -> None:
    padding = open_padding(op, builder, -inf)
    if padding is None:
        pads = op.pads(builder.shapes[0])
        pads = _extended(pads, _overhangs(op, pads, builder))
        padding = Padding(builder.input, onnx_order(pads))
    builder.emit(
        "MaxPool",
        padding.source,
        kernel_shape=list(op.kernel_size),
        strides=list(op.stride),
        pads=padding.pads,
        auto_pad=padding.auto_pad,
        ceil_mode=0,
    )


@spell.register
def _(op: AvgPool2d, builder: NodeBuilder) -> None:
    window, count = (op.kernel_size, op.stride), op.count_include_pad
    padding = open_padding(op, builder, 0)
    if padding is None:
        pads = op.pads(builder.shapes[0])
        overhangs = _overhangs(op, pads, builder)
        source = builder.input
        if count and any(overhangs):
            # The mean counts the padding but not the overhang: the padding becomes real zeros.
            source, pads, count = _zero_padded(pads, builder), UNPADDED, False
        padding = Padding(source, onnx_order(_extended(pads, overhangs)))
    elif padding.source != builder.input and not count:
        _divide_by_share(window, padding, builder)
        return
    _emit_average(builder, window, padding, count)


def _divide_by_share(window: Window, padding: Padding, builder: NodeBuilder) -> None:
    """Spell the mean over a padded map, divided by the share of each window that is no padding."""
    mean = _emit_average(builder, window, padding, False, "mean")
    unit = builder.constant("units", [1, 1], INT64)
    size = builder.emit("Concat", unit, f"{builder.name}/grid", part="size", made=VECTOR, axis=0)
    one = TensorType(builder.dtype, (1, 1, None, None))
    ones = builder.emit("ConstantOfShape", size, part="ones", made=one, value=builder.tensor([1]))
    counted = builder.emit("Pad", ones, f"{builder.name}/pads", part="counted", made=one)
    share = _emit_average(builder, window, Padding(counted, padding.pads), False, "share", one)
    builder.emit("Div", mean, share)


def _emit_average(
    builder: NodeBuilder,
    window: Window,
    padding: Padding,
    count_include_pad: bool,
    part: str = "",
    made: TensorType | None = None,
) -> str:
    kernel, stride = window
    return builder.emit(
        "AveragePool",
        padding.source,
        part=part,
        made=made,
        kernel_shape=list(kernel),
        strides=list(stride),
        pads=padding.pads,
        auto_pad=padding.auto_pad,
        ceil_mode=0,
        count_include_pad=int(count_include_pad),
    )


def _overhangs(op: MaxPool2d | AvgPool2d, pads: Pads, builder: NodeBuilder) -> Pair:
    """Return how far the last window hangs over the padding, for each axis."""
    if not op.ceil or op.padding == "same":
        return (0, 0)
    axes = zip(builder.shapes[0].grid, op.kernel_size, op.stride, pads, strict=True)
    height, width = (_overhang(*axis, builder) for axis in axes)
    return height, width


def _overhang(size: Dim, kernel: int, stride: int, pads: Pair, builder: NodeBuilder) -> int:
    """Return the padding at the end that makes a flooring pool give the ceil-mode size.

    Runtimes have disagreed about `ceil_mode` (onnx/onnx#5711, microsoft/onnxruntime#16203), so
    it is never used. Where `after + stride <= kernel` no window can start in the padding, and
    `stride - 1` more is right for every size; elsewhere the overhang depends on the size.
    """
    before, after = pads
    if after + stride <= kernel:
        return stride - 1
    out = window_size(size, kernel, stride, pads, ceil=True)
    if not isinstance(size, int) or not isinstance(out, int):
        raise builder.refusal(
            f"the last window of a ceil-mode pooling (kernel {kernel}, stride {stride}) depends "
            f"on the size {size}; fix the input size or use `ceil: false`"
        )
    return max(0, (out - 1) * stride + kernel - size - before - after)


def _extended(pads: Pads, more: Pair) -> Pads:
    return (pads[0][0], pads[0][1] + more[0]), (pads[1][0], pads[1][1] + more[1])


def _zero_padded(pads: Pads, builder: NodeBuilder) -> str:
    (top, bottom), (left, right) = pads
    amounts = builder.constant("pads", [0, 0, top, left, 0, 0, bottom, right], INT64)
    channels, height, width = builder.shapes[0]
    made = builder.map(channels, _grown(height, pads[0]), _grown(width, pads[1]))
    return builder.emit("Pad", builder.input, amounts, part="padded", made=made)


def _grown(size: Dim, pads: Pair) -> Dim:
    return size + sum(pads) if isinstance(size, int) else None


@spell.register
def _(op: GlobalPool2d, builder: NodeBuilder) -> None:
    kind = {"avg": "GlobalAveragePool", "max": "GlobalMaxPool"}[op.function]
    if op.keep_grid:
        builder.emit(kind, builder.input)
        return
    channels = builder.shapes[0].channels
    builder.emit(
        "Flatten", builder.emit(kind, builder.input, part="grid", made=builder.map(channels, 1, 1))
    )


@spell.register
def _(op: AdaptiveAvgPool2d, builder: NodeBuilder) -> None:
    if op.output_size == (1, 1):
        builder.emit("GlobalAveragePool", builder.input)
        return
    channels, height, width = builder.shapes[0]
    rows, columns = op.output_size
    if not isinstance(height, int) or not isinstance(width, int):
        raise builder.refusal(
            f"the windows of adaptive pooling to {rows}x{columns} depend on the size "
            f"{show_sizes((height, width))}; fix the input size"
        )
    if height % rows == 0 and width % columns == 0:
        step = (height // rows, width // columns)
        _emit_average(builder, (step, step), Padding(builder.input, [0, 0, 0, 0]), False)
        return
    # Windows of unequal size: the mean over columns and over rows, each as a matrix product.
    across, down = _means(width, columns).T, _means(height, rows)
    made = builder.map(channels, height, columns)
    narrow = builder.emit(
        "MatMul", builder.input, builder.constant("columns", across), part="narrow", made=made
    )
    builder.emit("MatMul", builder.constant("rows", down), narrow)


def _means(size: int, cells: int) -> npt.NDArray[np.float64]:
    """Return the (cells, size) matrix whose row i is the mean over cell i of an adaptive pool."""
    matrix = np.zeros((cells, size))
    for i in range(cells):
        start, stop = i * size // cells, -(-(i + 1) * size // cells)
        matrix[i, start:stop] = 1 / (stop - start)
    return matrix


@spell.register
def _(op: Upsample, builder: NodeBuilder) -> None:
    """Resize as torch does: `half_pixel` is its bilinear mode, and rows are taken from above."""
    if op.factor is not None:
        targets = ["", builder.constant("scales", [1, 1, op.factor, op.factor], dtype=1)]
    else:
        kept = builder.emit("Shape", builder.input, part="kept", made=PAIR, start=0, end=2)
        size = _target(op, builder)
        targets = ["", "", builder.emit("Concat", kept, size, part="size", made=VECTOR, axis=0)]
    place = "align_corners" if op.align_corners else "half_pixel"
    builder.emit(
        "Resize",
        builder.input,
        *targets,
        mode="nearest" if op.mode == "nearest" else "linear",
        coordinate_transformation_mode="asymmetric" if op.mode == "nearest" else place,
        nearest_mode="floor" if op.mode == "nearest" else None,
    )


def _target(op: Upsample | Crop, builder: NodeBuilder) -> str:
    """Return the height and width that are wanted: numbers, or those of the second operand."""
    if op.size is not None:
        return builder.constant("target", list(op.size), INT64)
    return builder.emit("Shape", builder.inputs[1], part="target", made=PAIR, start=2, end=4)


@spell.register
def _(op: Crop, builder: NodeBuilder) -> None:
    target = _target(op, builder)
    grid = builder.emit("Shape", builder.input, part="grid", made=PAIR, start=2, end=4)
    rest = builder.emit("Sub", grid, target, part="rest", made=PAIR)
    two = builder.constant("two", [2, 2], INT64)
    start = builder.emit("Div", rest, two, part="start", made=PAIR)
    end = builder.emit("Add", start, target, part="end", made=PAIR)
    builder.emit("Slice", builder.input, start, end, builder.constant("axes", [2, 3], INT64))


@spell.register
def _(op: Pad, builder: NodeBuilder) -> None:
    (top, bottom), (left, right) = op.padding
    amounts = builder.constant("pads", [0, 0, top, left, 0, 0, bottom, right], INT64)
    mode = {"zeros": "constant", "reflect": "reflect", "replicate": "edge"}[op.mode]
    builder.emit("Pad", builder.input, amounts, mode=mode)


@spell.register
def _(op: PixelShuffle, builder: NodeBuilder) -> None:
    builder.emit("DepthToSpace", builder.input, blocksize=op.factor, mode="CRD")
