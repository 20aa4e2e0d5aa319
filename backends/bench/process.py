"""The process in which `memory.py` measures: builds one subject, runs it, prints its peak."""

from __future__ import annotations

import sys
from dataclasses import replace

import torch

from backends.bench.memory import MEGABYTE, peak_bytes, settle, used_bytes
from backends.bench.run import make_case, subjects_of
from backends.bench.subjects import Case, Run
from compiler.pipeline import load_graph, target_graph


def main(arguments: list[str]) -> None:
    """Measure SPEC SIDE SUBJECT DTYPE BATCH DEVICE [NAME=VALUE ...]."""
    spec, side, name, dtype_name, batch, place = arguments[:6]
    settings = dict(item.split("=", 1) for item in arguments[6:])
    case = make_case(target_graph(load_graph(spec, settings)), int(batch), dtype_name, place)
    device = torch.device(place)
    warm_up(device)
    settle(device)
    before = used_bytes(device)
    run = build(case, side, name)
    run()
    settle(device)
    for _ in range(3):
        run()
    print((peak_bytes(device) - before) / MEGABYTE)


def build(case: Case, side: str, name: str) -> Run:
    """Build a subject from parameters of its own, so that they count whoever copies them."""
    state = {key: value.clone() for key, value in case.optimized.state.items()}
    plain = {key: value.clone() for key, value in case.optimized.plain_state.items()}
    own = replace(case, optimized=replace(case.optimized, state=state, plain_state=plain))
    return next(s for s in subjects_of(own, ()) if (s.side, s.name) == (side, name)).build()


def warm_up(device: torch.device) -> None:
    """Make the libraries allocate what they keep for the process."""
    image, weight, matrix = (
        torch.randn(shape, device=device) for shape in ((1, 16, 32, 32), (16, 16, 3, 3), (64, 64))
    )
    with torch.no_grad():
        torch.nn.functional.conv2d(image, weight)
    matrix @ matrix


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main(sys.argv[1:])
