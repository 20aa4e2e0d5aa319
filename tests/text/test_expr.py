"""The expression language (cases E01, E02, E10, E11, L01)."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.text import ExprError, Unknown, Value, evaluate, parse, show_value

NAMES: dict[str, Value] = {
    "k": 384,
    "w": Fraction("1.3"),
    "in.channels": 256,
    "yes": True,
    "gone": None,
}


def value(text: str) -> Value:
    return evaluate(parse(text), lambda name: NAMES[name])


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("k/2", 192),
        ("k//2", 192),
        ("7/2", Fraction(7, 2)),
        ("7//2", 3),
        ("-7//2", -4),
        ("7 % 4", 3),
        ("-k", -384),
        ("int(512*w)", 665),
        ("int(1024*w)", 1331),
        ("round(512*w)", 666),
        ("round(1024*w)", 1331),
        ("round(2.5)", 2),
        ("round(3.5)", 4),
        ("ceil(7/2)", 4),
        ("floor(-7/2)", -4),
        ("max(k, 3) + min(1, 2)", 385),
        ("in.channels + k * 2", 1024),
        ("(1 + 2) * 3", 9),
        ("1 - 2 - 3", -4),
        ("k == 384 and not k > 400", True),
        ("k < 3 or k >= 384", True),
        ("0.1 + 0.2", Fraction(3, 10)),
        ("1e-3", Fraction(1, 1000)),
    ],
)
def test_value(text: str, result: Value) -> None:
    found = value(text)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("text", "message", "start"),
    [
        ("1/0", "division by zero", 0),
        ("k**9", "expected a number, a name or `(`, found `*`", 2),
        ("nothing + 1", "unknown name `nothing`", 0),
        ("yes + 1", "expected a number, found `true`", 0),
        ("k and yes", "expected true or false, found 384", 0),
        ("[x for x in (1,)]", "unexpected character `[`", 0),
        ("2 3", "expected an operator or the end, found `3`", 2),
        ("(" * 60 + "1" + ")" * 60, "the expression nests deeper than 40 levels", 41),
        ("1" * 500, "the expression is 500 characters long, 400 at most", 0),
        ("99999999*99999999*99999999", "the value is out of bounds", 0),
    ],
)
def test_fault(text: str, message: str, start: int) -> None:
    with pytest.raises(ExprError) as caught:
        value(text)
    assert str(caught.value) == message
    assert caught.value.start == start


def test_what_depends_on_an_unknown_is_unknown() -> None:
    with pytest.raises(Unknown):
        value("gone + 1")


@given(st.text(max_size=60))
def test_any_text_is_refused_or_has_a_value(text: str) -> None:
    with suppress(ExprError, Unknown):
        value(text)


@given(st.integers(-999, 999), st.integers(-999, 999), st.integers(1, 99))
def test_arithmetic_is_exact(a: int, b: int, c: int) -> None:
    assert value(f"({a}) * ({b}) + ({a}) // {c} - ({b}) % {c}") == a * b + a // c - b % c
    assert value(f"({a}) / {c}") == Fraction(a, c)


def test_values_show_as_a_spec_writes_them() -> None:
    assert [show_value(v) for v in (True, Fraction("22.4"), (1, 7), None, 3, "same")] == [
        "true",
        "22.4",
        "1x7",
        "?",
        "3",
        "same",
    ]
