"""Winograd's transforms: exact in fractions, and close in float32."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F

from backends.run.short_convolution import short_convolution, short_parameters, short_variant
from backends.winograd import POINTS, Variant, transform
from compiler.ops import Conv2d
from tests.passes.random_specs import graph_of


@pytest.mark.parametrize("taps", [2, 3, 5, 7])
@pytest.mark.parametrize("outputs", [1, 2, 4, 6])
def test_is_exact_in_fractions(outputs: int, taps: int) -> None:
    short = transform(outputs, taps)
    signal = [Fraction(3 * i * i - 7 * i + 2) for i in range(short.size)]
    kernel = [Fraction(5 - 2 * i) for i in range(taps)]
    at_points = [sum(a * d for a, d in zip(row, signal, strict=True)) for row in short.data]
    filters = [sum(a * g for a, g in zip(row, kernel, strict=True)) for row in short.filter]
    products = [a * b for a, b in zip(at_points, filters, strict=True)]
    made = [sum(a * p for a, p in zip(row, products, strict=True)) for row in short.output]
    direct = [sum(signal[i + j] * kernel[j] for j in range(taps)) for i in range(outputs)]
    assert made == direct


def test_says_when_the_points_run_out() -> None:
    with pytest.raises(ValueError, match=rf"needs 13 points, there are {len(POINTS)}"):
        transform(8, 7)


def test_the_smallest_plane_variant_halves_the_products() -> None:
    assert Variant((3, 3), (2, 2)).points == (4, 4)  # 16 products for 4 outputs of 9 taps each


@pytest.mark.parametrize(
    "variant",
    [Variant((1, 7), (1, 6)), Variant((7, 1), (6, 1)), Variant((3, 3), (4, 4))],
    ids=lambda v: v.name,
)
def test_short_convolution_is_conv2d(variant: Variant) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 8, 9, 11, generator=generator)
    weight = torch.randn(5, 8, *variant.kernel, generator=generator)
    bias = torch.randn(5, generator=generator)
    pads = ((1, 2), (3, 0))
    sizes = variant.points, variant.outputs
    made = short_convolution(x, *short_parameters(variant, weight), bias, pads, *sizes)
    direct = F.conv2d(F.pad(x, (3, 0, 1, 2)), weight, bias)
    torch.testing.assert_close(made, direct, atol=2e-3, rtol=0)
    assert float(direct.std()) > 1


@pytest.mark.parametrize(
    ("layer", "channels", "size", "outputs"),
    [
        ("{conv: 1x7, filters: 64, padding: same}", 64, 17, (1, 6)),
        ("{conv: 7x1, filters: 64, padding: same}", 64, 17, (6, 1)),
        ("{conv: 1x7, filters: 63, padding: same}", 64, 17, None),
        ("{conv: 1x3, filters: 64, padding: same}", 64, 17, None),
        ("{conv: 1x1, filters: 64}", 64, 17, None),
        ("{conv: 3x3, filters: 80, padding: same}", 80, 35, (4, 4)),
        ("{conv: 3x3, filters: 80, padding: same}", 79, 35, None),
        ("{conv: 3x3, filters: 80, padding: same, stride: 2}", 80, 70, None),
        ("{conv: 3x3, filters: 256, padding: same}", 256, 17, None),  # 289 of 400 pixels of tiles
        ("{conv: 3x3, filters: 256, padding: same}", 256, 28, None),  # 49 tiles
        ("{conv: 5x5, filters: 80, padding: same}", 80, 35, None),
    ],
)
def test_which_convolutions_are_short_in_plain_pytorch(
    layer: str, channels: int, size: int, outputs: tuple[int, int] | None
) -> None:
    graph = graph_of(
        f"network: n\ninput: {{image: [{channels}, {size}, {size}]}}\nlayers:\n  - {layer}\n"
    )
    node = next(n for n in graph.nodes.values() if isinstance(n.op, Conv2d))
    variant = short_variant(graph, node)
    assert (variant and variant.outputs) == outputs
