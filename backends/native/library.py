"""Compiles the native kernels for this machine, once, and gives their C interface."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from ctypes import POINTER, c_double, c_float, c_int32, c_int64, c_void_p
from functools import cache
from pathlib import Path

from backends.native.transforms import Variant, emit_transforms
from compiler.errors import BackendError

_FLAGS = ("-O2", "-funswitch-loops", "-march=native", "-std=c++20", "-shared", "-fPIC", "-fopenmp")
_SOURCES = Path(__file__).with_name("kernels")
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
        *((name, c_int64) for name in ("in_stride", "gradient_stride", "pixels", "chunk")),
        ("epsilon", c_double), ("momentum", c_double), ("floor", c_float),
        ("channels", c_int32), ("is_rounded", c_int32),
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


class Step(ctypes.Structure):
    """One entry of the table that a run walks through."""

    _fields_ = [("kind", c_int64), ("args", c_void_p)]


KINDS = (
    "conv", "winograd", "winograd_data", "pool", "global_pool", "elementwise",
    "softmax", "normalize", "round", "conv_bfloat16", "filters", "weight_gradient",
    "conv_tiles", "norm_statistics", "norm_line", "norm_output", "norm_sums", "norm_plane",
    "norm_gradient", "tile_filters", "tile_turn", "tile_gradient",
)  # fmt: skip
"""Names of the kinds of steps, in the order of the enumeration in `steps.h`."""


def table_of(steps: Sequence[Step]) -> ctypes.Array[Step]:
    """Return steps as the array that a run walks through."""
    return (Step * len(steps))(*steps)


class Library:
    """The compiled kernels."""

    def __init__(self, path: Path) -> None:
        self._c = ctypes.CDLL(str(path))
        self._c.netdraft_run.argtypes = [POINTER(Step), c_int64, c_int32]
        self._c.netdraft_run.restype = None
        self._c.netdraft_profile.argtypes = [POINTER(Step), c_int64, c_int32, POINTER(c_double)]
        self._c.netdraft_profile.restype = None
        self.width = int(self._c.netdraft_width())
        self.max_vectors = int(self._c.netdraft_max_vectors())
        self.has_bfloat16 = bool(self._c.netdraft_has_bfloat16())
        self.has_tiles = bool(self._c.netdraft_has_tiles())

    def run(self, steps: ctypes.Array[Step], threads: int) -> None:
        """Run all steps, one after the other, each on `threads` threads."""
        self._c.netdraft_run(steps, len(steps), threads)

    def profile(self, steps: ctypes.Array[Step], threads: int) -> list[float]:
        """Run all steps and return the seconds that each took."""
        seconds = (c_double * len(steps))()
        self._c.netdraft_profile(steps, len(steps), threads, seconds)
        return list(seconds)

    def transform(self, side: str, variant: Variant) -> int:
        """Return the address of a Winograd transform; `side` begins its name in C++."""
        function = getattr(self._c, f"{side}_{variant.name}")
        return ctypes.cast(function, c_void_p).value or 0


@cache
def load_library() -> Library:
    """Compile the kernels with the Winograd transforms, or take them from the cache.

    Raises:
        BackendError: there is no C++ compiler, or it fails.
    """
    compiler = _find_compiler()
    sources = {path.name: path.read_text() for path in sorted(_SOURCES.iterdir())}
    sources["kernels.cpp"] += emit_transforms()
    key = "\n".join((*sources.values(), _version(compiler), _cpu(), *_FLAGS))
    path = _cache_dir() / f"kernels-{hashlib.sha256(key.encode()).hexdigest()[:24]}.so"
    if not path.exists():
        _compile(compiler, sources, path)
    return Library(path)


def _find_compiler() -> str:
    for name in (os.environ.get("CXX", ""), "g++", "clang++", "c++"):
        if name and shutil.which(name):
            return name
    raise BackendError("the native engine needs a C++ compiler: install g++ or set CXX")


def _version(compiler: str) -> str:
    return subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line for line in lines if line.startswith("flags")), platform.machine())


def _cache_dir() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "netdraft"
    path.mkdir(parents=True, exist_ok=True)
    return path


def _compile(compiler: str, sources: Mapping[str, str], path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        for name, text in sources.items():
            Path(folder, name).write_text(text)
        made = Path(folder, "kernels.so")
        command = [compiler, *_FLAGS, str(Path(folder, "kernels.cpp")), "-o", str(made)]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            raise BackendError(f"{compiler} cannot compile the kernels: {result.stderr[:2000]}")
        made.replace(path)
