"""Transposed convolutions beside torch's own, by values, counts, and the sizes of TensorFlow."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from backends.torch.module import build_module
from compiler.facts.summarize import summarize
from compiler.graph import Graph
from compiler.pipeline import draft_graph, load_graph

SPEC = """
network: net
input: {{x: [4, {size}]}}
layers: [{{conv_transpose: {rest}, name: up}}]
"""


def graph_of(folder: Path, rest: str, size: str = "5, 7") -> Graph:
    path = folder / "net.yaml"
    path.write_text(SPEC.format(rest=rest, size=size))
    return load_graph(path)


@pytest.mark.parametrize(
    ("rest", "named"),
    [
        ("2x2, filters: 6, stride: 2", {"stride": 2}),
        ("2x2, filters: 6, stride: 2, padding: V", {"stride": 2}),
        ("4x4, filters: 6, stride: 2, padding: 1", {"stride": 2, "padding": 1}),
        ("4x4, filters: 6, stride: 2", {"stride": 2, "padding": 1}),  # `same` is that, too
        ("3x3, filters: 6, padding: half", {"padding": 1}),
        (
            "3x3, filters: 6, stride: 2, padding: 1, output_padding: 1, groups: 2",
            {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2},
        ),
        (
            "3x2, filters: 6, stride: [1, 3], padding: 0x1, output_padding: 0x2, dilation: [2, 1]",
            {"stride": (1, 3), "padding": (0, 1), "output_padding": (0, 2), "dilation": (2, 1)},
        ),
    ],
)
def test_values_are_those_of_torch(tmp_path: Path, rest: str, named: dict[str, int]) -> None:
    module = build_module(graph_of(tmp_path, rest), seed=1)
    weights = dict(module.named_parameters())
    x = torch.randn(2, 4, 5, 7)
    want = F.conv_transpose2d(x, weights["up.weight"], weights["up.bias"], **named)
    torch.testing.assert_close(module(x), want)


@pytest.mark.parametrize(
    ("kernel", "stride", "size"),  # tf.nn.conv2d_transpose, padding="SAME": stride times as large
    [("3x3", 2, (10, 14)), ("1x1", 3, (15, 21)), ("5x2", 1, (5, 7)), ("7x7", 4, (20, 28))],
)
def test_same_is_stride_times_as_large(
    tmp_path: Path, kernel: str, stride: int, size: tuple[int, int]
) -> None:
    graph = graph_of(tmp_path, f"{kernel}, filters: 6, stride: {stride}")
    assert graph.nodes["up"].shape == (6, *size)
    assert build_module(graph)(torch.zeros(1, 4, 5, 7)).shape == (1, 6, *size)


def test_same_is_the_gradient_of_same(tmp_path: Path) -> None:
    """TensorFlow defines it so: the odd pixel of a 3x3 with stride 2 is the last one."""
    module = build_module(graph_of(tmp_path, "3x3, filters: 1, stride: 2, bias: false"))
    weight = dict(module.named_parameters())["up.weight"]
    image = torch.zeros(1, 1, 10, 14, requires_grad=True)
    out = F.conv2d(F.pad(image, [0, 1, 0, 1]), weight, stride=2)
    x = torch.randn(out.shape)
    (want,) = torch.autograd.grad(out, image, x)
    torch.testing.assert_close(module(x), want)


def test_open_sizes(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, "3x3, filters: 6, stride: 2, padding: 1", "H, W")
    assert str(graph.nodes["up"].shape) == "(N, 6, 2*H-1, 2*W-1)"


@pytest.mark.parametrize("rest", ["2x2, filters: 6, stride: 2", "3x3, filters: 6, groups: 2"])
def test_counts_are_those_of_torch(tmp_path: Path, rest: str) -> None:
    graph = graph_of(tmp_path, f"{rest}, bias: false")
    summary, module = summarize(graph), build_module(graph)
    assert summary.parameters == sum(p.numel() for p in module.parameters())
    with FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, 4, 5, 7))
    assert summary.macs == counter.get_total_flops() // 2


def test_first_weights_keep_the_variance(tmp_path: Path) -> None:
    """A ReLU leaves half of the squares, which He's factor of 2 makes up for."""
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "network: net\ninput: {x: [64, 16, 16]}\n"
        "layers: [relu, {conv_transpose: 4x4, filters: 64, stride: 2}]\n"
    )
    with torch.no_grad():
        out = build_module(load_graph(spec), seed=0)(torch.randn(4, 64, 16, 16))
    assert math.isclose(float(out[:, :, 2:-2, 2:-2].var()), 1, rel_tol=0.1)


def test_output_padding_of_same(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    rest = "3x3, filters: 6, stride: 2, output_padding: 1"
    path.write_text(SPEC.format(rest=rest, size="5, 7"))
    (found,) = draft_graph(path)[1].diagnostics
    assert found.message == (
        "`output_padding` has no part in `same`, whose output is stride times as large"
    )
    assert found.help == "take it out, or give the padding in numbers"
