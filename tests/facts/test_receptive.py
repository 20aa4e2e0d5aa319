"""Receptive fields: their size, stride and offset against the gradient of single units."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from backends.torch.module import build_module
from compiler.facts.receptive import Field, receptive_fields
from compiler.pipeline import load_graph

LAYERS = {
    "valid": "[{conv: 3x5, filters: 2, padding: V}, {max_pool: 3x3, stride: 2, padding: V}, "
    "{conv: 3x3, filters: 2, stride: 2, padding: V, name: y}]",
    "same": "[{conv: 3x3, filters: 2, stride: 2}, {avg_pool: 2x2, stride: 2}, "
    "{conv: 5x3, filters: 2, stride: [1, 2], name: y}]",
    "dilated": "[{conv: 3x3, filters: 2, dilation: 3, padding: V}, "
    "{conv: 2x2, filters: 2, dilation: 2, stride: 2, padding: 1, name: y}]",
    "uneven": "[{conv: 4x4, filters: 2, stride: 2, padding: [[0, 1], [2, 0]]}, "
    "{conv: 2x2, filters: 2, name: y}]",
    "paths": "[{branches: {a: [{conv: 3x3, filters: 2}, {conv: 3x3, filters: 2}], "
    "b: [{conv: 1x4, filters: 2}]}, join: concat}, {conv: 3x3, filters: 2, stride: 2, name: y}]",
    "residual": "[{residual: {body: [{conv: 2x2, filters: 3}]}}, "
    "{avg_pool: 3x3, stride: 3, padding: V, name: y}]",
}
UPSAMPLED = {
    "window": "[{avg_pool: 2x2, stride: 2}, {upsample: 2}, {conv: 3x2, filters: 2, name: y}]",
    "thirds": "[{avg_pool: 2x2, stride: 2}, {upsample: 3}, {conv: 3x3, filters: 2, padding: V}, "
    "{avg_pool: 2x3, stride: 2, name: y}]",
    "u": "[{conv: 3x3, filters: 2, name: skip}, {avg_pool: 4x4, stride: 4}, {upsample: 2}, "
    "{conv: 3x3, filters: 2}, {upsample: 2}, {concat: [skip, upsample_2]}, "
    "{conv: 3x3, filters: 2, name: y}]",
}
SIZES = [(40, 41), (41, 38), (39, 40)]
"""SAME padding with a stride begins elsewhere at other sizes."""


def positive(module: nn.Module) -> nn.Module:
    """Make every weight positive, so that no path cancels another; a maximum is a mean here."""
    for name, part in module.named_modules():
        if isinstance(part, nn.MaxPool2d):
            mean = nn.AvgPool2d(part.kernel_size, part.stride, part.padding)
            module.set_submodule(name, mean)
    for parameter in module.parameters():
        nn.init.constant_(parameter, 0.5)
    return module.double().eval()


def seen(gradient: Tensor) -> tuple[tuple[float, float], ...]:
    """Return (first, last) pixel with a gradient, along the height and the width."""
    touched = gradient[0].sum(0) != 0
    axes = (touched.any(1).nonzero(), touched.any(0).nonzero())
    return tuple((float(pixels.min()), float(pixels.max())) for pixels in axes)


def expected(field: Field, unit: int) -> tuple[float, float]:
    """Return the first and the last pixel of a unit's field."""
    assert field.offset is not None
    centre, half = field.offset + unit * field.stride, (field.size - 1) / 2
    return centre - half, centre + half


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_field_is_what_the_gradient_reaches(
    tmp_path: Path, layers: str, size: tuple[int, int]
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"network: t\ninput: {{image: [3, {size[0]}, {size[1]}]}}\nlayers: {layers}\n")
    graph = load_graph(path)
    fields = receptive_fields(graph)["y"]
    assert fields is not None
    module = positive(build_module(graph))
    height, width = graph.nodes["y"].shape.numbers[1:]
    middle = (height // 2, width // 2)
    for unit in (middle, (middle[0] - 1, middle[1] - 2)):  # inside: padding cuts fields off
        x = torch.ones(1, 3, *size, dtype=torch.float64, requires_grad=True)
        module(x)[0, :, unit[0], unit[1]].sum().backward()
        assert x.grad is not None
        assert seen(x.grad) == tuple(map(expected, fields, unit)), unit


def reached(module: nn.Module, unit: tuple[int, int]) -> tuple[tuple[float, float], ...]:
    """Return the first and the last pixel that the gradient of a unit reaches."""
    x = torch.ones(1, 3, 48, 40, dtype=torch.float64, requires_grad=True)
    module(x)[0, :, unit[0], unit[1]].sum().backward()
    assert x.grad is not None
    return seen(x.grad)


@pytest.mark.parametrize("layers", UPSAMPLED.values(), ids=UPSAMPLED)
def test_behind_upsampling_the_size_is_the_largest_and_the_offset_the_first_unit_s(
    tmp_path: Path, layers: str
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"network: t\ninput: {{image: [3, 48, 40]}}\nlayers: {layers}\n")
    graph = load_graph(path)
    fields = receptive_fields(graph)["y"]
    assert fields is not None
    module = positive(build_module(graph))
    units = range(12, 24)  # inside: a round of units has at most 12
    by_unit = [reached(module, (unit, unit)) for unit in units]
    for axis, field in enumerate(fields):
        spans = [both[axis] for both in by_unit]
        assert max(last - first + 1 for first, last in spans) == field.size
        assert sum(spans[0]) / 2 == field.offset + 12 * field.stride  # type: ignore[operator]


def test_a_join_of_two_inputs_sees_of_each_what_its_path_does(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "network: t\ninput: {a: [3, 32, 32], b: [1, 64, 64]}\nlayers:\n"
        "  - {conv: 3x3, filters: 4, from: a, name: near}\n"
        "  - {conv: 3x3, filters: 4, from: b, stride: 2, name: far}\n"
        "  - {add: [near, far], name: y}\n"
    )
    fields = receptive_fields(load_graph(path))
    assert fields["near"] == (Field(3, 1, 0), Field(3, 1, 0))
    assert fields["far"] == (Field(3, 2, 1), Field(3, 2, 1))
    assert fields["y"] == (Field(3, 2, None), Field(3, 2, None))


def test_the_paper_s_stem() -> None:
    """3x3 / 2 V sees 3 pixels around 1; 3x3 V adds 4 and a step of 2, 3x3 same adds 4 alone."""
    fields = receptive_fields(load_graph("inception_v4"))
    assert fields["stem.conv_2b.conv"] == (Field(11, 2, 3), Field(11, 2, 3))
    assert fields["logits"] is None


def test_padding_of_an_open_size_leaves_the_offset_open(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "network: t\ninput: {image: [3, H, 9]}\n"
        "layers: [{conv: 3x3, filters: 2, stride: 2, name: y}]\n"
    )
    assert receptive_fields(load_graph(path))["y"] == (Field(3, 2, None), Field(3, 2, None))
