"""Window arithmetic by hand and by cases C01-C14."""

from __future__ import annotations

import pytest

from compiler.graph import same_pads, same_size, window_size


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pads"),
    [
        (4, 3, 2, (0, 1)),
        (224, 7, 2, (2, 3)),
        (299, 3, 2, (1, 1)),
        (224, 3, 2, (0, 1)),
        (8, 4, 1, (1, 2)),
    ],
)
def test_same_padding_puts_the_odd_pixel_last(
    size: int, kernel: int, stride: int, pads: tuple[int, int]
) -> None:
    assert same_pads(size, kernel, stride, 1) == pads
    assert window_size(size, kernel, stride, pads) == same_size(size, stride)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad", "out"),
    [
        (9, 4, 4, 2, 3),
        (5, 2, 2, 1, 3),
        (12, 1, 2, 0, 6),
        (2, 3, 3, 1, 1),
        (9, 4, 2, 0, 4),
        (112, 3, 2, 0, 56),
        (75, 2, 2, 0, 38),
    ],
)
def test_ceil_drops_a_window_that_starts_in_the_padding(
    size: int, kernel: int, stride: int, pad: int, out: int
) -> None:
    assert window_size(size, kernel, stride, (pad, pad), ceil=True) == out


@pytest.mark.parametrize(
    ("size", "kernel", "dilation", "pad", "out"),
    [(8, 3, 2, 0, 4), (8, 3, 2, 2, 8), (5, 3, 2, 0, 1)],
)
def test_dilation(size: int, kernel: int, dilation: int, pad: int, out: int) -> None:
    assert window_size(size, kernel, 1, (pad, pad), dilation) == out
