"""Window arithmetic by hand and by cases C01-C14; symbolic sizes against numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.build import load_graph
from compiler.shapes import SymbolicDim, same_pads, same_size, times, window_size
from compiler.smallest import smallest_input


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


@given(
    st.integers(50, 400),
    st.lists(
        st.tuples(st.integers(1, 7), st.integers(1, 3), st.integers(0, 3), st.booleans()),
        max_size=6,
    ),
)
def test_a_symbolic_size_is_the_number_at_every_input(
    size: int, steps: list[tuple[int, int, int, bool]]
) -> None:
    number, formula = size, SymbolicDim("H")
    for kernel, stride, pad, ceil in steps:
        pads = (min(pad, kernel // 2),) * 2
        if number + sum(pads) < kernel:
            break
        number = window_size(number, kernel, stride, pads, ceil=ceil)  # type: ignore[assignment]
        formula = window_size(formula, kernel, stride, pads, ceil=ceil)  # type: ignore[assignment]
        assert formula.at(size) == number
        least = formula.least(1)
        assert formula.at(least) >= 1 > formula.at(least - 1)


def test_upsampling_keeps_the_formula() -> None:
    doubled = times(SymbolicDim("H", -3, 2), 2)
    assert isinstance(doubled, SymbolicDim)
    assert doubled.at(17) == 14
    halved = window_size(doubled, 2, 2, (0, 0))
    assert isinstance(halved, SymbolicDim)
    assert halved.at(17) == 7


def test_formulas_print_in_the_letters_of_the_input() -> None:
    assert str(SymbolicDim("H")) == "H"
    assert str(SymbolicDim("H", -43, 32)) == "(H+21)//32-2"
    assert str(SymbolicDim("H", 0, 2, 2)) == "2*(H//2)"


@pytest.mark.parametrize(
    "spec",
    [
        "inception_v4",
        "inception_resnet_v1",
        "inception_resnet_v2",
        "released/inception_resnet_v2_slim",
    ],
)
def test_the_smallest_input_is_75(spec: str) -> None:
    graph = load_graph(spec, inputs=["3xHxW"])
    assert smallest_input(graph) == {"image": (75, 75)}
