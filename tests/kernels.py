"""Whether our own kernels can be tested here: `backends/native` and a compiler are needed."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

import pytest

COMPILER = next(filter(None, map(shutil.which, ("g++", "clang++", "c++"))), None)


def missing() -> str:
    """Return what is not here, as the reason of a skipped test."""
    if not find_spec("backends.native"):
        return "backends/native is not here"
    return "" if COMPILER else "there is no C++ compiler"


def need_kernels(target: str) -> None:
    """Skip a test of a target of ours that cannot run here."""
    if target.startswith("native") and (reason := missing()):
        pytest.skip(reason)


kernels = pytest.mark.skipif(bool(missing()), reason=missing())
