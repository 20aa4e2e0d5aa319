"""What sharing costs, in layers looked at: as many times more as there are more copies."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from backends.torch.source import emit_source
from compiler.pipeline import load_graph

HEAD = "network: t\ninput: {x: [4, 9, 9]}\nlayers:\n"
SHARED = {
    "copies": """
  - {{conv: 3x3, filters: 4, name: o}}
  - {{layers: [{{conv: 3x3, filters: 4, share: o, name: p}}, relu], repeat: {n}, name: b}}
""",
    "copies of a sequence": """
  - {{layers: [{{conv: 3x3, filters: 4}}, relu], name: o}}
  - {{layers: [{{conv: 3x3, filters: 4}}, sigmoid], share: o, repeat: {n}, name: b}}
""",
    "a sequence of copies": """
  - layers: [{{layers: [{{conv: 3x3, filters: 4}}, relu], repeat: {n}, name: r}}]
    name: a
  - layers: [{{layers: [{{conv: 3x3, filters: 4}}, sigmoid], repeat: {n}, name: r}}]
    name: b
    share: a
""",
}


def lines_run(call: Callable[[], object]) -> int:
    """Return how many lines of Python run: a clock would measure the machine too."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("kind", SHARED)
def test_it_is_linear(kind: str, tmp_path: Path) -> None:
    def cost(copies: int) -> int:
        path = tmp_path / f"{copies}.yaml"
        path.write_text(HEAD + SHARED[kind].format(n=copies))
        return lines_run(lambda: emit_source(load_graph(path)))

    cost(2)  # what is made once per process
    few, many = cost(50), cost(200)
    assert many < 4.4 * few
