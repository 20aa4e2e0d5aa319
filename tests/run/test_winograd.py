"""Winograd's transforms: exact in fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest

from backends.winograd import POINTS, Variant, transform


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
