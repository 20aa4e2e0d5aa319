"""Pooling and upsampling as ONNX nodes."""

from __future__ import annotations

from math import inf

import numpy as np
import numpy.typing as npt

from backends.onnx.open_padding import VECTOR, onnx_order, open_padding
from backends.onnx.site import INT64, Attribute, Site, Value, spell
from compiler.ops import AdaptiveAvgPool2d, AvgPool2d, GlobalPool2d, MaxPool2d, Upsample
from compiler.shapes import Dim, Pads, Pair, window_size

UNPADDED: Pads = ((0, 0), (0, 0))


@spell.register
def _(op: MaxPool2d, site: Site) -> None:
    source, pads = open_padding(op, site, -inf) or (site.input, {})
    if not pads:
        numbers = op.pads(site.shapes[0])
        pads = {"pads": onnx_order(_extended(numbers, _overhangs(op, numbers, site)))}
    site.emit(
        "MaxPool",
        source,
        kernel_shape=list(op.kernel_size),
        strides=list(op.stride),
        ceil_mode=0,
        **pads,
    )


@spell.register
def _(op: AvgPool2d, site: Site) -> None:
    if _spell_open_average(op, site):
        return
    pads = op.pads(site.shapes[0])
    overhangs = _overhangs(op, pads, site)
    source, count = site.input, op.count_include_pad
    if count and any(overhangs):
        # The mean counts the padding but not the overhang, so the padding becomes real zeros.
        source, pads, count = _zero_padded(pads, site), UNPADDED, False
    pads = _extended(pads, overhangs)
    _emit_average(site, source, op.kernel_size, op.stride, count, pads=onnx_order(pads))


def _spell_open_average(op: AvgPool2d, site: Site) -> bool:
    """Spell a mean whose SAME padding depends on an open size; False where it does not."""
    padding = open_padding(op, site, 0)
    if padding is None:
        return False
    source, pads = padding
    window = op.kernel_size, op.stride
    if source == site.input or op.count_include_pad:
        _emit_average(site, source, *window, op.count_include_pad, **pads)
        return True
    # The mean over the padded map, divided by the share of each window that is no padding.
    one = Value(site.dtype, (1, 1, None, None))
    mean = _emit_average(site, source, *window, False, "mean", **pads)
    ones = site.emit("Pad", _ones(site), f"{site.name}/pads", part="counted", made=one)
    divisor = _emit_average(site, ones, *window, False, "share", one, **pads)
    site.emit("Div", mean, divisor)
    return True


def _ones(site: Site) -> str:
    """Return a map of ones as large as the operand, for one sample and one channel."""
    unit = site.constant("units", [1, 1], INT64)
    one = Value(site.dtype, (1, 1, None, None))
    size = site.emit("Concat", unit, f"{site.name}/grid", part="size", made=VECTOR, axis=0)
    return site.emit("ConstantOfShape", size, part="ones", made=one, value=site.tensor([1]))


def _emit_average(
    site: Site,
    source: str,
    kernel: Pair,
    stride: Pair,
    count_include_pad: bool,
    part: str = "",
    made: Value | None = None,
    **pads: Attribute,
) -> str:
    return site.emit(
        "AveragePool",
        source,
        part=part,
        made=made,
        kernel_shape=list(kernel),
        strides=list(stride),
        ceil_mode=0,
        count_include_pad=int(count_include_pad),
        **pads,
    )


def _overhangs(op: MaxPool2d | AvgPool2d, pads: Pads, site: Site) -> Pair:
    """Return how far the last window hangs over the padding, for each axis."""
    if not op.ceil or op.padding == "same":
        return (0, 0)
    axes = zip(site.shapes[0].grid, op.kernel_size, op.stride, pads, strict=True)
    height, width = (_overhang(*axis, site) for axis in axes)
    return height, width


def _overhang(size: Dim, kernel: int, stride: int, pads: Pair, site: Site) -> int:
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
        raise site.refusal(
            f"the last window of a ceil-mode pooling (kernel {kernel}, stride {stride}) depends "
            f"on the size {size}; fix the input size or use `ceil: false`"
        )
    return max(0, (out - 1) * stride + kernel - size - before - after)


def _extended(pads: Pads, more: Pair) -> Pads:
    return (pads[0][0], pads[0][1] + more[0]), (pads[1][0], pads[1][1] + more[1])


def _zero_padded(pads: Pads, site: Site) -> str:
    (top, bottom), (left, right) = pads
    amounts = site.constant("pads", [0, 0, top, left, 0, 0, bottom, right], INT64)
    channels, height, width = site.shapes[0]
    made = site.map(channels, _grown(height, pads[0]), _grown(width, pads[1]))
    return site.emit("Pad", site.input, amounts, part="padded", made=made)


def _grown(size: Dim, pads: Pair) -> Dim:
    return size + sum(pads) if isinstance(size, int) else None


@spell.register
def _(op: GlobalPool2d, site: Site) -> None:
    kind = {"avg": "GlobalAveragePool", "max": "GlobalMaxPool"}[op.function]
    if op.keep_grid:
        site.emit(kind, site.input)
        return
    channels = site.shapes[0].channels
    site.emit("Flatten", site.emit(kind, site.input, part="grid", made=site.map(channels, 1, 1)))


@spell.register
def _(op: AdaptiveAvgPool2d, site: Site) -> None:
    if op.output_size == (1, 1):
        site.emit("GlobalAveragePool", site.input)
        return
    channels, height, width = site.shapes[0]
    rows, columns = op.output_size
    if not isinstance(height, int) or not isinstance(width, int):
        raise site.refusal(
            f"the windows of adaptive pooling to {rows}x{columns} depend on the size "
            f"{height}x{width}; fix the input size"
        )
    if height % rows == 0 and width % columns == 0:
        step = (height // rows, width // columns)
        _emit_average(site, site.input, step, step, False, pads=[0, 0, 0, 0])
        return
    # Windows of unequal size: the mean over columns and over rows, each as a matrix product.
    across, down = _means(width, columns).T, _means(height, rows)
    made = site.map(channels, height, columns)
    narrow = site.emit(
        "MatMul", site.input, site.constant("columns", across), part="narrow", made=made
    )
    site.emit("MatMul", site.constant("rows", down), narrow)


def _means(size: int, cells: int) -> npt.NDArray[np.float64]:
    """Return the (cells, size) matrix whose row i is the mean over cell i of an adaptive pool."""
    matrix = np.zeros((cells, size))
    for i in range(cells):
        start, stop = i * size // cells, -(-(i + 1) * size // cells)
        matrix[i, start:stop] = 1 / (stop - start)
    return matrix


@spell.register
def _(op: Upsample, site: Site) -> None:
    scales = site.constant("scales", [1, 1, op.factor, op.factor], dtype=1)
    site.emit(
        "Resize",
        site.input,
        "",
        scales,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
