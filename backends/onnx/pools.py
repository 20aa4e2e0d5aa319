"""Pooling and upsampling as ONNX nodes."""

from __future__ import annotations

from math import inf

import numpy as np
import numpy.typing as npt

from backends.onnx.open_padding import VECTOR, Padding, onnx_order, open_padding
from backends.onnx.site import INT64, Site, Value, spell
from compiler.graph import Dim, Pads, Pair, show_sizes, window_size
from compiler.ops import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    GlobalPool2d,
    MaxPool2d,
    PixelShuffle,
    Upsample,
)

UNPADDED: Pads = ((0, 0), (0, 0))
Window = tuple[Pair, Pair]
"""Kernel and stride."""


@spell.register
def _(op: MaxPool2d, site: Site) -> None:
    padding = open_padding(op, site, -inf)
    if padding is None:
        pads = op.pads(site.shapes[0])
        pads = _extended(pads, _overhangs(op, pads, site))
        padding = Padding(site.input, onnx_order(pads))
    site.emit(
        "MaxPool",
        padding.source,
        kernel_shape=list(op.kernel_size),
        strides=list(op.stride),
        pads=padding.pads,
        auto_pad=padding.auto_pad,
        ceil_mode=0,
    )


@spell.register
def _(op: AvgPool2d, site: Site) -> None:
    window, count = (op.kernel_size, op.stride), op.count_include_pad
    padding = open_padding(op, site, 0)
    if padding is None:
        pads = op.pads(site.shapes[0])
        overhangs = _overhangs(op, pads, site)
        source = site.input
        if count and any(overhangs):
            # The mean counts the padding but not the overhang: the padding becomes real zeros.
            source, pads, count = _zero_padded(pads, site), UNPADDED, False
        padding = Padding(source, onnx_order(_extended(pads, overhangs)))
    elif padding.source != site.input and not count:
        _divide_by_share(window, padding, site)
        return
    _emit_average(site, window, padding, count)


def _divide_by_share(window: Window, padding: Padding, site: Site) -> None:
    """Spell the mean over a padded map, divided by the share of each window that is no padding."""
    mean = _emit_average(site, window, padding, False, "mean")
    unit = site.constant("units", [1, 1], INT64)
    size = site.emit("Concat", unit, f"{site.name}/grid", part="size", made=VECTOR, axis=0)
    one = Value(site.dtype, (1, 1, None, None))
    ones = site.emit("ConstantOfShape", size, part="ones", made=one, value=site.tensor([1]))
    counted = site.emit("Pad", ones, f"{site.name}/pads", part="counted", made=one)
    share = _emit_average(site, window, Padding(counted, padding.pads), False, "share", one)
    site.emit("Div", mean, share)


def _emit_average(
    site: Site,
    window: Window,
    padding: Padding,
    count_include_pad: bool,
    part: str = "",
    made: Value | None = None,
) -> str:
    kernel, stride = window
    return site.emit(
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
            f"{show_sizes((height, width))}; fix the input size"
        )
    if height % rows == 0 and width % columns == 0:
        step = (height // rows, width // columns)
        _emit_average(site, (step, step), Padding(site.input, [0, 0, 0, 0]), False)
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


@spell.register
def _(op: PixelShuffle, site: Site) -> None:
    site.emit("DepthToSpace", site.input, blocksize=op.factor, mode="CRD")
