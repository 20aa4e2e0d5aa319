"""Window arithmetic, by hand."""

from __future__ import annotations

import pytest

from compiler.graph import Dim, Shape, letter, same_pads, same_size, window_size

H, W = letter("H"), letter("W")


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        ((384, 35, 35), "35x35x384"),
        ((3, H, W), "HxWx3"),
        ((3, 32 * H, 32 * W), "32*Hx32*Wx3"),
        ((8, (H + 1) // 2 - 2, (W + 1) // 2 - 2), "((H+1)//2-2)x((W+1)//2-2)x8"),
        ((8, H - 2, W // 2), "(H-2)x(W//2)x8"),
        ((3, letter("x"), letter("y")), "(x)xyx3"),
        ((8, 2 * (H // 2), None), "(2*(H//2))x?x8"),
        ((8 * (H // 2) * (W // 2),), "8*(H//2)*(W//2)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_printed_size_is_read_in_one_way(sizes: tuple[Dim, ...], text: str) -> None:
    assert Shape(sizes).paper == text


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
