"""Padding, pooling and rounding, as sizes and as values."""

from __future__ import annotations

import re

import pytest
import torch

from backends.torch.module import build_module
from backends.torch.source import emit_source
from tests.cases.conftest import Draft, Drafted


def values(drafted: Drafted, x: torch.Tensor) -> list[float]:
    """Return the outputs of a network whose weights are all one, to four places."""
    assert drafted.graph is not None
    assert drafted.errors == [], drafted.text
    module = build_module(drafted.graph).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1.0)
        out = module(x[None, None])
    return [round(v, 4) for v in out.flatten().tolist()]


def ones(size: int) -> torch.Tensor:
    return torch.ones(size, size)


@pytest.mark.parametrize(("padding", "want"), [("same", [9, 6, 6, 4]), ("1", [4, 6, 6, 9])])
def test_same_pads_the_end_first(draft: Draft, padding: str, want: list[int]) -> None:
    layer = f"{{conv: 3x3, filters: 1, stride: 2, padding: {padding}, bias: false}}"
    assert values(draft.layers("1x4x4", layer), ones(4)) == want


@pytest.mark.parametrize(
    ("layer", "size", "out"),
    [
        ("{conv: 7x7, filters: 1, stride: 2}", 224, 112),
        ("{conv: 3x3, filters: 1, stride: 2}", 299, 150),
        ("{conv: 3x3, filters: 1, stride: 2}", 224, 112),
        ("{conv: 4x4, filters: 1}", 8, 8),
        ("{conv: 4x4, filters: 1, padding: 2}", 8, 9),
        ("{avg_pool: 4x4, stride: 4, padding: 2, ceil: true}", 9, 3),
        ("{max_pool: 2x2, stride: 2, padding: 1, ceil: true}", 5, 3),
        ("{max_pool: 1x1, stride: 2, padding: V, ceil: true}", 12, 6),
        ("{max_pool: 3x3, stride: 3, padding: 1, ceil: true}", 2, 1),
        ("{avg_pool: 4x4, stride: 2, padding: 0, ceil: true}", 9, 4),
        ("{max_pool: 4x4, stride: 4, padding: 2}", 5, 2),
        ("{conv: 3x3, filters: 1, dilation: 2, padding: 0}", 8, 4),
        ("{conv: 3x3, filters: 1, dilation: 2, padding: 2}", 8, 8),
        ("{conv: 3x3, filters: 1, dilation: 2, padding: 0}", 5, 1),
        ("{max_pool: 3x3, padding: V}", 112, 110),
        ("{max_pool: 3x3, stride: 2, padding: V}", 112, 55),
        ("{max_pool: 3x3, stride: 2, padding: V, ceil: true}", 112, 56),
        ("{max_pool: 2x2, stride: 2, padding: V}", 75, 37),
        ("{max_pool: 2x2, stride: 2, padding: V, ceil: true}", 75, 38),
    ],
)
def test_sizes_of_windows(draft: Draft, layer: str, size: int, out: int) -> None:
    assert draft.layers(f"1x{size}x{size}", layer).out == f"1x{out}x{out}"


@pytest.mark.parametrize(("counted", "corner", "edge"), [("true", 0.4444, 0.6667), ("false", 1, 1)])
def test_the_border_of_a_mean(draft: Draft, counted: str, corner: float, edge: float) -> None:
    layer = f"{{avg_pool: 3x3, padding: 1, count_include_pad: {counted}}}"
    want = [corner, edge, corner, edge, 1, edge, corner, edge, corner]
    assert values(draft.layers("1x3x3", layer), ones(3)) == want


def test_emitted_pools_say_everything(draft: Draft) -> None:
    layers = ("{max_pool: 3x3, stride: 2, padding: 1}", "{avg_pool: 3x3, stride: 2, padding: 1}")
    graph = draft.layers("1x9x9", *layers).graph
    assert graph is not None
    source = emit_source(graph)
    assert "count_include_pad=False" in source
    calls = re.findall(r"Pool2d\(([^()]*(?:\([^()]*\)[^()]*)*)\)", source)
    assert len(calls) == 2
    for call in calls:
        assert all(word in call for word in ("stride", "padding", "ceil_mode")), call


@pytest.mark.parametrize(
    ("rest", "want"),
    [
        ("padding: 1, count_include_pad: true", [6, 8, 3.6667, 5, 6, 2.5, 1.1667, 1, 0.25]),
        ("padding: 1", [13.5, 12, 11, 7.5, 6, 5, 3.5, 2, 1]),
        ("padding: V", [11, 9.5, 5, 3.5]),
    ],
)
def test_windows_over_the_end(draft: Draft, rest: str, want: list[float]) -> None:
    layer = f"{{avg_pool: 3x3, stride: 2, ceil: true, {rest}}}"
    x = torch.arange(16, 0, -1, dtype=torch.float32).reshape(4, 4)
    assert values(draft.layers("1x4x4", layer), x) == want


def test_a_maximum_is_not_taken_with_zeros(draft: Draft) -> None:
    x = torch.tensor([[3.0, -4, -1], [-2, 5, -6], [-7, 0, -3]])
    assert values(draft.layers("1x3x3", "{max_pool: 2x2, stride: 2}"), x) == [5, -1, 0, -3]


@pytest.mark.parametrize("layer", ["{max_pool: 2x2, padding: 2}", "{avg_pool: 2x2, padding: 2}"])
def test_more_padding_than_half_the_kernel(draft: Draft, layer: str) -> None:
    found = draft.layers("1x8x8", layer)
    assert found.errors == ["pool-padding"]
    assert "padding 2 is more than half of the pooling kernel 2" in found.said


def test_pools_have_no_dilation(draft: Draft) -> None:
    found = draft.layers("1x8x8", "{max_pool: 3x3, dilation: 2, padding: 2}")
    assert found.errors == ["unknown-field"]


@pytest.mark.parametrize(
    ("padding", "out"), [("[0, 3]", "1x17x17"), ("[3, 0]", "1x23x11"), ("same", "1x17x17")]
)
def test_height_first(draft: Draft, padding: str, out: str) -> None:
    assert draft.layers("1x17x17", f"{{conv: [1, 7], filters: 1, padding: {padding}}}").out == out
