"""Steps of the native kernels and their arguments, as `kernels/steps.h` has them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import POINTER, c_double, c_float, c_int32, c_int64, c_void_p

_FLOATS = c_void_p


class Target(ctypes.Structure):
    """Where one vector of output channels goes; see `steps.h`."""

    _fields_ = [
        ("out", _FLOATS), ("rounded", c_void_p), ("add", _FLOATS), ("add_rounded", c_void_p),
        ("out_stride", c_int64), ("add_stride", c_int64), ("channels", c_int64), ("low", c_int64),
    ]  # fmt: skip


class Panel(ctypes.Structure):
    """Some vectors of output channels; see `steps.h`."""

    _fields_ = [
        ("weight", _FLOATS), ("bias", _FLOATS), ("floor", _FLOATS), ("targets", POINTER(Target)),
        ("vectors", c_int64),
    ]  # fmt: skip


class Ahead(ctypes.Structure):
    """Weights that the next convolution reads; see `steps.h`."""

    _fields_ = [("start", c_void_p), ("bytes", c_int64), ("shared", c_int64)]


class Conv(ctypes.Structure):
    """A convolution through a table of pixels; see `steps.h`."""

    _fields_ = [
        ("in_", _FLOATS), ("in_stride", c_int64), ("in_pixels", c_int64), ("out_pixels", c_int64),
        ("low", c_int64),
        ("table", c_void_p), ("zeros", _FLOATS), ("panels", POINTER(Panel)),
        ("ahead", Ahead),
        ("batch", c_int32), ("taps", c_int32), ("channels", c_int32), ("panel_count", c_int32),
        ("chunk", c_int32), ("groups", c_int32),
    ]  # fmt: skip


class Winograd(ctypes.Structure):
    """A convolution by interpolation points; see `steps.h`."""

    _fields_ = [
        ("in_", _FLOATS), ("in_stride", c_int64), ("zeros", _FLOATS), ("points", _FLOATS),
        ("data", c_void_p), ("output", c_void_p), ("panels", POINTER(Panel)),
        *((name, c_int32) for name in (
            "channels", "panel_count", "first_tile", "tiles", "chunk",
            "in_height", "in_width", "out_height", "out_width", "pad_top", "pad_left",
            "tiles_down", "tiles_across", "outputs_down", "outputs_across",
            "points_down", "points_across", "element",
        )),
    ]  # fmt: skip


class Filters(ctypes.Structure):
    """Filters at the interpolation points; see `steps.h`."""

    _fields_ = [
        ("weight", c_void_p), ("transform", c_void_p), ("panels", POINTER(Panel)),
        *((name, c_int64) for name in ("out_stride", "in_stride", "row_stride", "column_stride")),
        ("channels", c_int32), ("panel_count", c_int32),
    ]  # fmt: skip


class WeightGradient(ctypes.Structure):
    """The gradient of a weight by interpolation points; see `steps.h`."""

    _fields_ = [
        ("in_", _FLOATS), ("out", _FLOATS),
        ("in_point_stride", c_int64), ("out_point_stride", c_int64),
        ("transform", c_void_p), ("weight", _FLOATS),
        *((name, c_int64) for name in ("out_stride", "in_stride", "row_stride", "column_stride")),
        *((name, c_int32) for name in ("in_channels", "out_channels", "tiles", "points", "add")),
    ]  # fmt: skip


class Pool(ctypes.Structure):
    """A pooling window; see `steps.h`."""

    _fields_ = [
        ("in_", _FLOATS), ("in_rounded", c_void_p), ("out", _FLOATS), ("rounded", c_void_p),
        ("in_stride", c_int64), ("out_stride", c_int64), ("low", c_int64), ("floor", c_float),
        *((name, c_int32) for name in (
            "batch", "channels", "in_height", "in_width", "out_height", "out_width",
            "kernel_height", "kernel_width", "stride_height", "stride_width",
            "pad_top", "pad_left", "mean", "count_pad", "pad_bottom", "pad_right",
        )),
    ]  # fmt: skip


class GlobalPool(ctypes.Structure):
    """Mean or maximum over a map; see `steps.h`."""

    _fields_ = [
        ("in_", _FLOATS), ("in_rounded", c_void_p), ("out", _FLOATS),
        ("in_stride", c_int64), ("out_stride", c_int64), ("low", c_int64),
        ("batch", c_int32), ("channels", c_int32), ("pixels", c_int32), ("mean", c_int32),
    ]  # fmt: skip


class Elementwise(ctypes.Structure):
    """`max(floor, a * factor + b)`; see `steps.h`."""

    _fields_ = [
        ("a", _FLOATS), ("b", _FLOATS), ("out", _FLOATS),
        ("a_stride", c_int64), ("b_stride", c_int64), ("out_stride", c_int64), ("pixels", c_int64),
        ("floor", c_float), ("factor", c_float), ("channels", c_int32),
    ]  # fmt: skip


class Rounding(ctypes.Structure):
    """Rounds activations to bfloat16; see `steps.h`."""

    _fields_ = [
        ("in_", _FLOATS), ("out", c_void_p), ("in_stride", c_int64), ("out_stride", c_int64),
        ("pixels", c_int64), ("low", c_int64), ("channels", c_int32),
    ]  # fmt: skip


class Rows(ctypes.Structure):
    """A function of whole vectors; see `steps.h`."""

    _fields_ = [
        ("in_", _FLOATS), ("out", _FLOATS), ("in_stride", c_int64), ("out_stride", c_int64),
        ("rows", c_int32), ("channels", c_int32),
    ]  # fmt: skip


class Norm(ctypes.Structure):
    """Batch normalisation in training; see `steps.h`."""

    _fields_ = [
        *((name, c_void_p) for name in (
            "in_", "gradient", "out", "parts", "weight", "bias", "mean", "inverse", "factor",
            "shift", "running_mean", "running_variance", "for_weight", "for_bias",
        )),
        *((name, c_int64) for name in (
            "in_stride", "gradient_stride", "out_stride", "pixels", "chunk",
        )),
        ("epsilon", c_double), ("momentum", c_double), ("floor", c_float),
        ("channels", c_int32), ("is_rounded", c_int32),
    ]  # fmt: skip


class Residual(ctypes.Structure):
    """A residual sum in training; see `steps.h`."""

    _fields_ = [
        *((name, c_void_p) for name in (
            "shortcut", "branch", "gradient", "out", "for_shortcut", "for_branch",
        )),
        ("values", c_int64), ("chunk", c_int64), ("scale", c_float), ("floor", c_float),
        ("is_rounded", c_int32),
    ]  # fmt: skip


class TileFilters(ctypes.Structure):
    """Weights packed for matrix tiles; see `steps.h`."""

    _fields_ = [
        ("weight", _FLOATS), ("panels", POINTER(Panel)),
        *((name, c_int64) for name in ("out_stride", "in_stride", "row_stride", "column_stride")),
        *((name, c_int32) for name in ("channels", "taps", "columns", "panel_count")),
    ]  # fmt: skip


class TileGradient(ctypes.Structure):
    """The gradient of a weight by matrix tiles; see `steps.h`."""

    _fields_ = [
        *((name, c_void_p) for name in (
            "in_", "gradient", "zeros", "table", "turned", "weight",
        )),
        *((name, c_int64) for name in (
            "in_stride", "gradient_stride", "in_pixels", "out_pixels",
            "out_stride", "weight_in_stride", "row_stride", "column_stride",
        )),
        *((name, c_int32) for name in (
            "batch", "taps", "columns", "in_channels", "out_channels", "groups",
        )),
    ]  # fmt: skip


class Pages(ctypes.Structure):
    """Pages of a mapped file, done with or wanted; see `steps.h`."""

    _fields_ = [
        ("done", c_void_p), ("wanted", c_void_p),
        ("done_bytes", c_int64), ("wanted_bytes", c_int64),
    ]  # fmt: skip


class Step(ctypes.Structure):
    """One entry of the table that a run walks through."""

    _fields_ = [("kind", c_int64), ("args", c_void_p)]


KINDS = (
    "conv", "winograd", "winograd_data", "pool", "global_pool", "elementwise",
    "softmax", "normalize", "round", "conv_bfloat16", "filters", "weight_gradient",
    "conv_tiles", "norm_statistics", "norm_line", "norm_output", "norm_sums", "norm_plane",
    "norm_gradient", "residual", "residual_gradient", "tile_filters", "tile_turn",
    "tile_gradient", "pages",
)  # fmt: skip
"""Names of the kinds of steps, in the order of the enumeration in `steps.h`."""


def table_of(steps: Sequence[Step]) -> ctypes.Array[Step]:
    """Return steps as the array that a run walks through."""
    return (Step * len(steps))(*steps)
