"""The expression language (cases E01, E02, E10, E11, L01)."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.text import ExprError, Unknown, Value, ValueList, evaluate, parse, show_value

NAMES: dict[str, Value] = {
    "k": 384,
    "w": Fraction("1.3"),
    "in.channels": 256,
    "yes": True,
    "word": "relu",
    "relu": "relu",
    "widths": ValueList((64, 128, 256)),
    "kernels": ValueList(((1, 7), (3, 3))),
    "gone": None,
}


SHOWN = ValueList((64, Fraction(1, 2), "relu", (3, 3)))


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
        ("1 if k > 3 else 2", 1),
        ("1 if k < 3 else 2 if yes else 3", 2),
        ("(1 if k < 3 else 2) + 1", 3),
        ("1 if yes else 1 / 0", 1),
        ("1 if yes else nothing", 1),
        ("2 ** 3 ** 2", 512),
        ("-2 ** 2", -4),
        ("2 * 3 ** 2", 18),
        ("2 ** -1", Fraction(1, 2)),
        ("1.2 ** 3", Fraction(216, 125)),
        ("min(5)", 5),
        ("min(5, 3, 4) + max(1, 9, 2)", 12),
        ("max(widths) - min(widths)", 192),
        ("sum(widths) + len(widths)", 451),
        ("len(kernels)", 2),
        ("widths[1] + widths[-1]", 384),
        ("[64, 2 * k][k // 384]", 768),
        ("kernels[0][1]", 7),
        ("kernels[1]", (3, 3)),
        ("8x8x1536", (8, 8, 1536)),
        ("3x3 if yes else 1x1", (3, 3)),
        ("word == relu and word != 'gelu'", True),
        ("\"basic\" == 'basic'", True),
        ("[1, 2] == [1, 2]", True),
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
        ("k**9", "the value is out of bounds", 0),
        ("2 ** 65", "the exponent is 65, not a whole number from -64 to 64", 5),
        ("2 ** 0.5", "the exponent is 0.5, not a whole number from -64 to 64", 5),
        ("0 ** -1", "division by zero", 0),
        ("2 ^ 3", "unexpected character `^`", 2),
        ("1 if yes", "expected `else`, found the end", 8),
        ("1 if k else 2", "expected true or false, found 384", 5),
        ("word + 1", "expected a number, found `relu`", 0),
        ("word == 'relu", "unexpected character `'`", 8),
        ("3x3 + 1", "expected a number, found `3x3`", 0),
        ("widths[3]", "there is no entry 3: the list has entries 0 to 2", 7),
        ("widths[0.5]", "an index is a whole number, not `0.5`", 7),
        ("k[0]", "expected a list, found `384`", 0),
        ("len(k)", "expected a list, found `384`", 4),
        ("sum(1, 2)", "`sum` takes 1 argument, it has 2", 0),
        ("sum(kernels)", "expected a number, found `1x7`", 4),
        ("round_to(k, 0)", "`round_to` gives a multiple of a whole number from 1, not of 0", 12),
        ("round_to(k)", "`round_to` takes 2 arguments, it has 1", 0),
        ("[1, 2", "expected `]`, found the end", 5),
        ("nothing + 1", "unknown name `nothing`", 0),
        ("yes + 1", "expected a number, found `true`", 0),
        ("k and yes", "expected true or false, found 384", 0),
        ("[x for x in (1,)]", "expected `]`, found `for`", 3),
        ("2 3", "expected an operator or the end, found `3`", 2),
        ("-" * 60 + "1", "the expression nests deeper than 40 levels", 41),
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


@pytest.mark.parametrize(
    ("value_of", "width"),
    # torchvision 0.29.1, `_make_divisible(v, 8)` for the widths of MobileNetV2 at 0.35, 0.75, 1.4,
    # of MobileNetV3 and of EfficientNet-B3's scaling by 1.2
    [
        ("32 * 0.35", 16), ("24 * 0.35", 8), ("16 * 0.75", 16), ("24 * 0.75", 24),
        ("32 * 1.4", 48), ("1280 * 1.4", 1792), ("96 * 1.4", 136), ("160 / 4", 40), ("72 / 4", 24),
        ("120 / 4", 32), ("1.2 * 40", 48), ("1.2 * 112", 136), ("1.2 * 1280", 1536), ("3", 8),
        ("11", 16), ("18", 24), ("20", 24), ("19.9", 24), ("35", 32),
    ],
)  # fmt: skip
def test_widths_are_rounded_as_mobilenet_does(value_of: str, width: int) -> None:
    assert value(f"round_to({value_of}, 8)") == width


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
    assert [show_value(v) for v in (True, Fraction("22.4"), (1, 7), None, 3, "same", SHOWN)] == [
        "true",
        "22.4",
        "1x7",
        "?",
        "3",
        "same",
        "[64, 0.5, relu, 3x3]",
    ]
