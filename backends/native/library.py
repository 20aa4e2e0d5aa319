"""Compiles the native kernels for this machine, once, and calls them."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from ctypes import POINTER, c_double, c_int32, c_int64, c_void_p
from functools import cache
from pathlib import Path

from backends.cache import kept_in_cache
from backends.native.steps import Step
from backends.native.transforms import Variant, emit_transforms
from compiler.errors import BackendError

_FLAGS = ("-O2", "-funswitch-loops", "-march=native", "-std=c++20", "-shared", "-fPIC", "-fopenmp")
_SOURCES = Path(__file__).with_name("kernels")


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
        BackendError: there is no C++ compiler, or it fails, or the kernels cannot be kept.
    """
    compiler = _find_compiler()
    sources = {path.name: path.read_text() for path in sorted(_SOURCES.iterdir())}
    sources["kernels.cpp"] += emit_transforms()
    key = "\n".join((*sources.values(), _version(compiler), _cpu(), *_FLAGS))
    name = f"kernels-{hashlib.sha256(key.encode()).hexdigest()[:24]}.so"
    with kept_in_cache("compiled kernels") as folder:
        if not (folder / name).exists():
            _compile(compiler, sources, folder / name)
        return Library(folder / name)


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
