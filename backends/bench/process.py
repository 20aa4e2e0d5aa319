"""The process in which `memory.py` measures: builds one subject, runs it, prints its peak."""

from __future__ import annotations

import ctypes
import gc
import sys
from dataclasses import replace

import torch

from backends.bench.memory import MEGABYTE, reset_peak, resident_bytes
from backends.bench.run import make_case, subjects_of
from backends.bench.subjects import Case, Run
from compiler.build import load_graph


def main(arguments: list[str]) -> None:
    """Measure SPEC SIDE SUBJECT DTYPE BATCH [NAME=VALUE ...]."""
    spec, side, name, dtype_name, batch = arguments[:5]
    settings = dict(item.split("=", 1) for item in arguments[5:])
    case = make_case(load_graph(spec, settings), int(batch), dtype_name, "cpu")
    warm_up()
    settle()
    before = resident_bytes()
    run = build(case, side, name)
    run()
    settle()
    reset_peak()
    for _ in range(3):
        run()
    print((resident_bytes("VmHWM") - before) / MEGABYTE)


def build(case: Case, side: str, name: str) -> Run:
    """Build a subject from parameters of its own, so that they count whoever copies them."""
    state = {key: value.clone() for key, value in case.optimized.state.items()}
    plain = {key: value.clone() for key, value in case.optimized.plain_state.items()}
    own = replace(case, optimized=replace(case.optimized, state=state, plain_state=plain))
    return next(s for s in subjects_of(own, ()) if (s.side, s.name) == (side, name)).build()


def warm_up() -> None:
    """Make the libraries allocate what they keep for the process."""
    with torch.no_grad():
        torch.nn.functional.conv2d(torch.randn(1, 16, 32, 32), torch.randn(16, 16, 3, 3))
    torch.randn(64, 64) @ torch.randn(64, 64)


def settle() -> None:
    """Give freed memory back to the system, so that it does not hide what comes next."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main(sys.argv[1:])
