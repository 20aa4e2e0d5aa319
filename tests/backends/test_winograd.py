"""Winograd's transforms: exact in fractions, and close in float32."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F

from backends.engine.short_convolution import short_convolution, short_parameters
from backends.native.transforms import KERNELS, Variant, variants_of
from backends.winograd import POINTS, transform


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
    assert {v.outputs for v in variants_of((1, 7))} == {(1, 2), (1, 4), (1, 6)}
    assert variants_of((1, 1)) == variants_of((7, 7)) == ()
    assert all(variants_of(kernel) for kernel in KERNELS)


@pytest.mark.parametrize("kernel", [(1, 7), (7, 1)])
def test_short_convolution_is_conv2d(kernel: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 8, 9, 11, generator=generator)
    weight = torch.randn(5, 8, *kernel, generator=generator)
    bias = torch.randn(5, generator=generator)
    pads = ((1, 2), (3, 0))
    across = kernel[0] == 1
    variant = Variant(kernel, (1, 6) if across else (6, 1))
    made = short_convolution(x, *short_parameters(variant, weight), bias, pads, across)
    direct = F.conv2d(F.pad(x, (3, 0, 1, 2)), weight, bias)
    torch.testing.assert_close(made, direct, atol=2e-3, rtol=0)
    assert float(direct.std()) > 1
