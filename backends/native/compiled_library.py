"""Compiles the native kernels for this machine, once, and calls them."""

from __future__ import annotations

import contextlib
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

from backends.native.steps import Step
from backends.native.structs import check_layout, count_numbers, emit_layout
from backends.native.transforms import emit_transforms
from backends.state.cache import cached, ignore, keep, kept, locked
from backends.winograd import Variant
from compiler.errors import BackendError
from compiler.files import reason_of

_FLAGS = ("-O2", "-funswitch-loops", "-march=native", "-std=c++20", "-shared", "-fPIC", "-fopenmp")
_SEAL = 32
"""Bytes of a digest."""
_PATIENCE_S = 300
"""How long a process waits for another one that compiles."""
_SOURCES = Path(__file__).with_name("kernels")


class Library:
    """The compiled kernels.

    Raises:
        BackendError: they lay out a struct in another way than `steps.py`.
    """

    def __init__(self, path: Path) -> None:
        self._c = ctypes.CDLL(str(path))
        self._c.netdraft_layout.restype = POINTER(c_int64)
        check_layout(self._c.netdraft_layout()[: count_numbers()])
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

    Of several processes one compiles and the others wait for it. Where nothing can be kept, or
    what is kept is damaged or cannot be run from there, they are compiled for this process.

    Raises:
        BackendError: there is no C++ compiler, or it fails, or see `Library`.
    """
    compiler = _find_compiler()
    sources = {path.name: path.read_text() for path in sorted(_SOURCES.iterdir())}
    sources["kernels.cpp"] += emit_transforms() + emit_layout()
    # All that the machine code depends on, the CPU's features too: `-march=native` in a shared home
    # folder would otherwise crash on an older machine.
    key = "\n".join((*sources.values(), _version(compiler), _cpu(), *_FLAGS, "sealed"))
    path = cached(f"kernels-{hashlib.sha256(key.encode()).hexdigest()[:24]}.so")
    if path is None:
        return _compile(compiler, sources, path)
    if found := _open_kept(path):
        return found
    # Looked up again behind the lock: the process that held it may just have compiled them.
    with locked(path, seconds=_PATIENCE_S):
        return _open_kept(path) or _compile(compiler, sources, path)


def _open_kept(path: Path) -> Library | None:
    """Return kernels that were kept whole: the system crashes on half a library."""
    raw = kept(path)
    if raw is None:
        return None
    if _sealed(raw[:-_SEAL]) != raw:
        ignore(path, "is damaged")
        return None
    with contextlib.suppress(OSError):  # a disk from which nothing may be run
        return Library(path)
    return None


def _sealed(raw: bytes) -> bytes:
    """Return a library with its digest after the end, where loaders do not look."""
    return raw + hashlib.sha256(raw).digest()


def _compile(compiler: str, sources: Mapping[str, str], path: Path | None) -> Library:
    """Compile the kernels, load them and keep them."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in sources.items():
                Path(folder, name).write_text(text)
            made = Path(folder, "kernels.so")
            done = _call(compiler, *_FLAGS, str(Path(folder, "kernels.cpp")), "-o", str(made))
            if done.returncode:
                raise BackendError(f"{compiler} cannot compile the kernels: {done.stderr[:2000]}")
            if path:
                keep(path, _sealed(made.read_bytes()))
            return (path and _open_kept(path)) or Library(made)
    except OSError as error:
        reason = reason_of(error)
        raise BackendError(f"the native engine cannot compile its kernels: {reason}") from None


def _find_compiler() -> str:
    for name in (os.environ.get("CXX", ""), "g++", "clang++", "c++"):
        if name and shutil.which(name):
            return name
    raise BackendError("the native engine needs a C++ compiler: install g++ or set CXX")


def _version(compiler: str) -> str:
    return _call(compiler, "--version").stdout


def _call(compiler: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        command = [compiler, *arguments]
        return subprocess.run(command, capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise BackendError(f"{compiler} cannot be run: {reason_of(error)}") from None


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line for line in lines if line.startswith("flags")), platform.machine())
