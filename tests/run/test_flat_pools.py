"""Pooling behind uneven padding in the flat module, against the windows taken one by one."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from backends.run.optimized import optimize
from backends.torch.module import build_module
from tests.passes.random_specs import graph_of

PADS = (0, 1), (1, 0)
"""Rows above and below, columns left and right."""


def windows(size: int, kernel: int, stride: int, before: int) -> list[range]:
    """Return the places of every window, the last one rounded up, none that starts behind."""
    return [range(s, s + kernel) for s in range(-before, size, stride)]


def pooled(x: Tensor, kernel: tuple[int, int], stride: int, word: str) -> Tensor:
    """Return the maximum or mean over every window: (H, W) -> (H', W')."""
    height, width = x.shape
    (top, bottom), (left, right) = PADS
    rows = windows(height, kernel[0], stride, top)
    columns = windows(width, kernel[1], stride, left)
    # A window rounded up leaves at most stride - 1 places short of a whole one.
    rows = [r for r in rows if r[0] + kernel[0] - (height + bottom) < stride]
    columns = [c for c in columns if c[0] + kernel[1] - (width + right) < stride]
    made = x.new_zeros(len(rows), len(columns))
    for (i, row), (j, column) in product(enumerate(rows), enumerate(columns)):
        places = list(product(row, column))
        real = [float(x[p]) for p in places if 0 <= p[0] < height and 0 <= p[1] < width]
        padded = [p for p in places if p[0] < height + bottom and p[1] < width + right]
        counted = len(padded if word == "counted" else real)
        made[i, j] = max(real) if word == "max" else sum(real) / counted
    return made


@pytest.mark.parametrize("size", [(7, 7), (8, 9), (9, 8), (10, 11), (5, 6)], ids=str)
@pytest.mark.parametrize(("kernel", "stride"), [((2, 2), 2), ((3, 2), 3), ((3, 3), 2)], ids=str)
@pytest.mark.parametrize("word", ["max", "mean", "counted"])
@pytest.mark.parametrize("target", ["plain", "eager"])
def test_a_window_rounded_up_behind_uneven_padding(
    size: tuple[int, int], kernel: tuple[int, int], stride: int, word: str, target: str
) -> None:
    pool = "max_pool" if word == "max" else "avg_pool"
    rest = "padding: [[0, 1], [1, 0]], ceil: true"
    rest += ", count_include_pad: true" if word == "counted" else ""
    graph = graph_of(f"""
network: net
input: {{image: [1, {size[0]}, {size[1]}]}}
layers:
  - {{{pool}: {kernel[0]}x{kernel[1]}, stride: {stride}, {rest}}}
""")
    x = torch.randn(1, 1, *size, generator=torch.Generator().manual_seed(0))
    wanted = pooled(x[0, 0].double(), kernel, stride, word)
    module = build_module(graph)
    for network in (module, optimize(module).for_inference(target=target)):
        torch.testing.assert_close(network(x)[0, 0].double(), wanted, atol=1e-6, rtol=1e-6)
