"""Which input pixel each tap of a convolution reads."""

from __future__ import annotations

import numpy as np

from compiler.graph import Pads, Pair

PixelTable = np.ndarray[tuple[int, ...], np.dtype[np.int32]]


def pixel_table(
    size: Pair, out: Pair, kernel: Pair, stride: Pair, dilation: Pair, pads: Pads
) -> PixelTable:
    """Return (output pixels, taps): the input pixel, row by row, and -1 where padding is read.

    Args:
        size: height and width of the input.
        out: those of the output.
        kernel: taps down and across.
        stride: of the windows.
        dilation: of the taps.
        pads: before and after the input along height and width; only those before count.
    """
    rows, columns = (
        _axis(*axis) for axis in zip(size, out, kernel, stride, dilation, pads, strict=True)
    )
    index = rows[:, None, :, None] * size[1] + columns[None, :, None, :]
    outside = (rows[:, None, :, None] < 0) | (columns[None, :, None, :] < 0)
    return np.where(outside, -1, index).astype(np.int32).reshape(out[0] * out[1], -1)


def _axis(
    size: int, out: int, kernel: int, stride: int, dilation: int, pads: Pair
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return the input index of every output index and tap of one axis, -1 outside."""
    at = np.arange(out)[:, None] * stride - pads[0] + np.arange(kernel)[None, :] * dilation
    return np.where((at >= 0) & (at < size), at, -1)
