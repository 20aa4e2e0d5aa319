"""Layers that read another one for its size alone: `upsample: NAME`, `crop: NAME`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from backends.torch.module import build_module
from compiler.facts.receptive import receptive_fields
from compiler.graph import Graph
from compiler.ops import Crop, Upsample
from compiler.pipeline import draft_graph, load_graph

SPEC = """
network: net
params: {{k: 2, small: 3x3}}
input: {{image: [2, {size}]}}
layers:
  - {{conv: 3x3, filters: 4, padding: V, name: wide}}
  - {{max_pool: 2x2, stride: k, padding: V, name: low}}
  - {{{layer}, name: out}}
  - {{max_pool: small, padding: same}}
"""


def spec_of(folder: Path, layer: str, size: str = "12, 16") -> Path:
    path = folder / "net.yaml"
    path.write_text(SPEC.format(layer=layer, size=size))
    return path


def graph_of(folder: Path, layer: str, size: str = "12, 16") -> Graph:
    return load_graph(spec_of(folder, layer, size))


@pytest.mark.parametrize(
    ("layer", "op", "reads", "made"),
    [
        ("upsample: wide", Upsample(), ("low", "wide"), (4, 10, 14)),
        ("upsample: image, from: wide", Upsample(), ("wide", "image"), (4, 12, 16)),
        ("upsample: in", Upsample(), ("low", "image"), (4, 12, 16)),
        ("upsample: k", Upsample(2), ("low",), (4, 10, 14)),
        ("upsample: small", Upsample(size=(3, 3)), ("low",), (4, 3, 3)),
        ("upsample: [in.height, 7]", Upsample(size=(12, 7)), ("low",), (4, 12, 7)),
        ("upsample: in.channels", Upsample(2), ("low",), (4, 10, 14)),
        ("upsample: 2 * k", Upsample(4), ("low",), (4, 20, 28)),
        ("crop: low, from: wide", Crop(), ("wide", "low"), (4, 5, 7)),
        ("crop: 3, from: wide", Crop((3, 3)), ("wide",), (4, 3, 3)),
        ("crop: small", Crop((3, 3)), ("low",), (4, 3, 3)),
    ],
)
def test_what_is_read(
    tmp_path: Path, layer: str, op: object, reads: tuple[str, ...], made: tuple[int, ...]
) -> None:
    node = graph_of(tmp_path, layer).nodes["out"]
    assert (node.op, node.inputs, node.shape) == (op, reads, made)


def test_layer_that_comes_later(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "network: net\ninput: {image: [2, 4, 4]}\nlayers:\n"
        "  - {upsample: later, from: image, name: up}\n"
        "  - {pad: 1, from: image, name: later}\n"
        "  - {add: [up, later]}\n"
    )
    assert load_graph(path).nodes["up"].shape == (2, 6, 6)


def test_stand_in_for_a_layer_that_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "network: net\nparams: {tall: false}\ninput: {image: [2, 4, 4]}\nlayers:\n"
        "  - {pad: 2, when: tall, name: high}\n  - {upsample: high or image, from: image}\n"
    )
    assert load_graph(path).nodes["upsample"].inputs == ("image", "image")


def test_open_sizes(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, "upsample: wide", "H, W")
    assert str(graph.nodes["out"].shape) == "(N, 4, H-2, W-2)"


@pytest.mark.parametrize("size", [(12, 16), (21, 9)])
def test_module_follows_the_size(tmp_path: Path, size: tuple[int, int]) -> None:
    """The module of a graph with fixed sizes takes others too, as torch's functions do."""
    graph = graph_of(tmp_path, "upsample: image, mode: bilinear")
    module = build_module(graph, seed=3)
    x = torch.randn(1, 2, *size)
    weights = dict(module.named_parameters())
    low = F.max_pool2d(F.conv2d(x, weights["wide.weight"], weights["wide.bias"]), 2)
    out = F.interpolate(low, size=size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(module(x), F.max_pool2d(out, 3, 1, 1))


def test_size_is_no_part_of_the_receptive_field(tmp_path: Path) -> None:
    """Of a map twice as large each row is one row of the pool, whose window is 2 on a 3x3."""
    graph = graph_of(tmp_path, "upsample: wide", "12, 16")
    height, width = receptive_fields(graph)["out"] or (None, None)
    assert height is not None
    assert width is not None
    assert (height.size, width.size, height.stride) == (4, 4, 1)


@pytest.mark.parametrize(
    ("layer", "message", "help"),
    [
        (
            "upsample: wider",
            "there is no layer `wider` to read here (did you mean `wide`?)",
            "in reach are `image`, `wide`, `low`, `out`, `max_pool`",
        ),
        (
            "crop: wide",
            "`out`: 10x14 cannot be cut out of a 5x7 grid",
            "crop the larger map to the size of the smaller one",
        ),
        (
            "upsample: 2, align_corners: true",
            "`align_corners` is of `mode: bilinear`",
            "say the mode, or take it out",
        ),
        (
            "upsample: 2, mode: bicubic",
            "`mode` of `upsample`: there is no mode `bicubic`",
            "one of `nearest`, `bilinear`",
        ),
        ("upsample: 0", "`upsample` = 0 is less than 1", ""),
        (
            "pad: same",
            "`pad`: `same` is no border",
            "a border is so many pixels: `1`, `[height, width]` or `[[0, 1], [0, 1]]`",
        ),
    ],
)
def test_refused(tmp_path: Path, layer: str, message: str, help: str) -> None:
    report = draft_graph(spec_of(tmp_path, layer))[1]
    found = [(d.message, d.help) for d in report.diagnostics if d.severity == "error"]
    assert found == [(message, help)]


def test_layer_that_reads_itself(tmp_path: Path) -> None:
    report = draft_graph(spec_of(tmp_path, "upsample: out"))[1]
    assert [d.code for d in report.diagnostics if d.severity == "error"] == ["cycle"]
