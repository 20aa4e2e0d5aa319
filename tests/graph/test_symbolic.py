"""Formulas for sizes against the same arithmetic on numbers; one normal form; equality."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.graph import (
    Dim,
    ShapeError,
    Symbolic,
    floor_divide,
    letter,
    plus,
    same_size,
    times,
    window_size,
)
from compiler.graph.residues import Sizes, equal, where_zero
from compiler.graph.symbolic import Exact, FormulaError
from compiler.pipeline import draft_graph, load_graph

H, W = letter("H"), letter("W")
SIZES = range(1, 201)

Step = tuple[str, int, int, int]
"""(what, kernel or factor, stride, padding)."""
steps = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(("floor", "ceil")),
            st.integers(1, 7),
            st.integers(1, 5),
            st.integers(0, 3),
        ),
        st.tuples(st.just("same"), st.just(1), st.integers(1, 5), st.just(0)),
        st.tuples(st.just("up"), st.integers(2, 4), st.just(1), st.just(0)),
    ),
    max_size=8,
)


def run(size: Dim, chain: list[Step]) -> Dim:
    """Return what a chain of windows and upsamplings makes of a size."""
    for what, kernel, stride, pad in chain:
        if what == "same":
            size = same_size(size, stride)
        elif what == "up":
            size = times(size, kernel)
        else:
            size = window_size(size, kernel, stride, (pad, pad), ceil=what == "ceil")
    return size


def value(size: Dim, **letters: int) -> int:
    assert size is not None
    return size if isinstance(size, int) else size.number_at(letters)


@given(steps)
def test_a_formula_is_the_number_at_every_size(chain: list[Step]) -> None:
    formula = run(H, chain)
    assert [value(formula, H=size) for size in SIZES] == [run(size, chain) for size in SIZES]


@given(steps, steps)
def test_equal_is_what_is_equal_at_every_size(one: list[Step], other: list[Step]) -> None:
    first, second = run(H, one), run(H, other)
    assert first is not None
    assert second is not None
    periods = 1
    for formula in (first, second):
        periods *= formula.period("H") if isinstance(formula, Symbolic) else 1
    sizes = range(1, min(2 * periods + 2, 5000))
    same = all(value(first, H=size) == value(second, H=size) for size in sizes)
    if periods < 2500:
        assert equal(first, second) == same


@given(steps, steps, st.integers(-3, 3).filter(bool))
def test_a_formula_in_two_letters_reads_as_what_it_is(
    one: list[Step], other: list[Step], factor: int
) -> None:
    formula = times(run(H, one), run(W, other), factor)
    read = compile(str(formula), "formula", "eval")
    for height, width in ((1, 1), (7, 30), (64, 33), (199, 200)):
        wanted = value(run(height, one)) * value(run(width, other)) * factor
        assert value(formula, H=height, W=width) == wanted
        assert eval(read, {"H": height, "W": width}) == wanted


@pytest.mark.parametrize(
    ("made", "same"),
    [
        (2 * (H // 2 + 1) - 2, 2 * (H // 2)),
        ((2 * (H // 2 + 1) - 2) // 2, H // 2),
        (H // 2 // 2 // 3, H // 12),
        ((3 * H + 5) // 3, H + 1),
        ((4 * (H // 2) + 3) // 2, 2 * (H // 2) + 1),
        ((2 * H + 3) // 4, (H + 1) // 2),
        (2 * (H // 2) // 3, H // 2 - (H + 4) // 6),
        ((H + 1) * (W - 1) + H - W + 1, H * W),
        ((H * W + W) // 2, W * (H + 1) // 2),
        (H - H + 3, 3),
        (H * W - W * H, 0),
    ],
)
def test_one_normal_form(made: Exact, same: Exact) -> None:
    assert made == same
    assert hash(made) == hash(same)


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (H, "H"),
        ((H - 43) // 32, "(H+21)//32-2"),
        (2 * (H // 2), "2*(H//2)"),
        (2 * ((H + 1) // 2) - 6, "2*((H+1)//2)-6"),
        (27 * H * W, "27*H*W"),
        (3 * (H - 2) * (W - 2), "3*(H-2)*(W-2)"),
        (216 * ((H + 1) // 2 - 1) * ((W + 1) // 2), "216*((H+1)//2-1)*((W+1)//2)"),
        (10 * (3 * H * W + 1), "30*H*W+10"),
        (H * W // 2, "(H*W)//2"),
        (5 - H, "5-H"),
        (-(H // 2), "-(H//2)"),
        (letter("mask.H") // 2, "mask.H//2"),
    ],
)
def test_formulas_print_in_the_letters_of_the_input(formula: Exact, text: str) -> None:
    assert str(formula) == text


def test_a_sum_of_two_ways_to_one_size(tmp_path: Path) -> None:
    spec = tmp_path / "t.yaml"
    spec.write_text("""\
network: t
input: {image: [3, H, W]}
layers:
  - {conv: 2x2, filters: 3, stride: 2, padding: 1}
  - {upsample: 2}
  - {conv: 3x3, filters: 3, padding: V, name: a}
  - {conv: 2x2, filters: 3, stride: 2, padding: V, from: image}
  - {upsample: 2, name: b}
  - {add: [a, b], name: sum}
""")
    assert load_graph(spec).nodes["sum"].shape.paper == "(2*(H//2))x(2*(W//2))x3"


def test_letters_get_values_one_by_one() -> None:
    formula = 3 * (H // 2) * (W - 1)
    assert isinstance(formula, Symbolic)
    assert formula.at({"H": 7}) == 9 * W - 9
    assert formula.at({"H": 7, "W": 3}) == 18
    assert formula.at({"W": 2 * H}) == 3 * (H // 2) * (2 * H - 1)
    assert formula.letters == ("H", "W")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (H // 2 + (H + 1) // 2, H, True),  # Hermite's identity: no normal form shows it
        (H // 2 * W + (H + 1) // 2 * W, H * W, True),
        (H // 2 * 2, H, False),
        (H, W, False),
        (H // 2 * 2 * W, H * W, False),
        (H, 16, False),
        (7, 7, True),
    ],
)
def test_equality_is_decided_where_the_forms_differ(
    first: Exact, second: Exact, same: bool
) -> None:
    assert equal(first, second) is same


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (H // 2 * 2, H, "even"),
        ((H + 1) // 2 * 2, H + 1, "odd"),
        (H // 16 * 16, H, "a multiple of 16"),
        (H // 4, (H - 11) // 4 + 3, "at most 2 more than a multiple of 4"),
        ((H - 75) // 32 * 32, H - 75, "11 more than a multiple of 32"),
        ((H + 2) // 4, (H + 1) // 4, "at most 1 less or at most 1 more than a multiple of 4"),
        ((H + 15) // 32, H // 32, "at most 16 more than a multiple of 32"),
        ((H + 15) // 16, 2 * ((H + 31) // 32), "at most 15 less than a multiple of 32"),
        (H // 2, 16, "32 to 33"),
        (H // 2 * 2, H + 5, ""),
    ],
)
def test_sizes_at_which_formulas_agree(first: Exact, second: Exact, words: str) -> None:
    difference = first - second
    assert isinstance(difference, Symbolic)
    sizes = where_zero(difference)
    assert sizes is not None
    assert sizes.words() == words
    same = [s for s in SIZES if value(first, H=s) == value(second, H=s)]
    assert [s for s in SIZES if s in sizes] == same


def test_sizes_that_two_demands_leave() -> None:
    even, few = Sizes(2, frozenset({0}), least=5), Sizes(3, frozenset({1, 2}), frozenset({6}))
    both = even.both(few)
    assert [s for s in SIZES if s in both] == [s for s in SIZES if s in even and s in few]
    assert both.near(6) == (6, 6)
    assert both.near(7) == (6, 8)
    assert both.near(3) == (None, 6)


def test_what_cannot_be_solved_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETDRAFT_LIMIT_SIZE_CLASSES", "64")
    far = H // 128 * 128 - H
    assert isinstance(far, Symbolic)
    assert where_zero.__wrapped__(far) is None
    assert not equal.__wrapped__(H // 128 + (H + 64) // 128, H // 64)


def test_sums_and_products_with_what_is_unknown_are_unknown() -> None:
    assert times(3, None, H) is None
    assert plus((3, None)) is None
    assert floor_divide(None, 1, 2) is None


@pytest.mark.parametrize("size", ["8, 8", "H, W"])
def test_a_size_beyond_measure_is_refused(tmp_path: Path, size: str) -> None:
    spec = tmp_path / "t.yaml"
    layers = "[{upsample: 10000000, repeat: 1000}]"
    spec.write_text(f"network: t\ninput: {{image: [3, {size}]}}\nlayers: {layers}\n")
    found = [(d.code, d.message, d.help) for d in draft_graph(spec)[1].errors]
    message = "`upsample.2`: its size is more than 1,000,000,000,000,000"
    assert found == [("too-large", message, "lower the factors or the `repeat` that multiply it")]


def test_counts_have_no_bound(tmp_path: Path) -> None:
    spec = tmp_path / "t.yaml"
    size = "[3, 1000000, 1000000]"
    spec.write_text(
        f"network: t\ninput: {{image: {size}}}\nlayers: [{{conv: 3x3, filters: 1000}}]\n"
    )
    assert load_graph(spec).macs() == 27 * 10**15


def test_a_formula_beyond_reading_is_refused() -> None:
    chain = [("floor", 7, 7, 3), ("up", 3, 1, 0)] * 50
    with pytest.raises(ShapeError) as caught:
        run(H, chain)
    assert str(caught.value) == "its size is no readable formula: 12 floors inside one another"
    assert caught.value.help == "give the input a fixed size"
    wide = sum((letter(f"L{i}") for i in range(30)), start=0)
    with pytest.raises(FormulaError, match="a product of 30 by 30 terms"):
        wide * wide
