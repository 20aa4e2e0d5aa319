"""The value of an expression: exact numbers, words, lists; nothing is left to Python's eval."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import NamedTuple

from compiler.errors import excess, limit, way_out
from compiler.text.expr import Expr, ExprError, Term, Unknown, Value, ValueList, show_value

MAX_MAGNITUDE = 10**15
MAX_EXPONENT = 64
"""Of `**`; powers of 2 reach the largest number at 50."""
LookUp = Callable[[str], Value]


class Function(NamedTuple):
    """A function of the language; it takes so many arguments, 1 or more where that is 0."""

    arguments: int
    doc: str


FUNCTIONS: dict[str, Function] = {
    "int": Function(1, "drop the fraction"),
    "floor": Function(1, "round down"),
    "ceil": Function(1, "round up"),
    "round": Function(1, "round to nearest, a half to the even number: round(2.5) = 2"),
    "round_to": Function(
        2, "the nearest multiple, at least one, never below 0.9 of the value: round_to(33, 8) = 32"
    ),
    "min": Function(0, "the smallest, of numbers or of a list"),
    "max": Function(0, "the largest"),
    "sum": Function(1, "the sum of a list"),
    "len": Function(1, "how many entries a list has"),
}
"""Name -> what it takes and does."""
_ROUNDED: Mapping[str, Callable[[Fraction], int]] = {
    "int": math.trunc,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
}
_OVER_ALL: Mapping[str, Callable[[list[Fraction]], Value]] = {
    "min": lambda numbers: _tidy(min(numbers)),
    "max": lambda numbers: _tidy(max(numbers)),
    "sum": lambda numbers: _tidy(sum(numbers, Fraction(0))),
    "len": len,
}


def evaluate(expr: Expr, lookup: LookUp) -> Value:
    """Return the value of an expression: exact integers and fractions, booleans, words, lists.

    Args:
        expr: what to evaluate.
        lookup: name -> value; raises `KeyError` for a name that is not in scope.

    Raises:
        ExprError: a name is not in scope, a division by zero, operands of the wrong type.
        Unknown: a name's value is None.
    """
    return _evaluate(expr.root, lookup)


def _evaluate(term: Term, lookup: LookUp) -> Value:
    if term.kind in _BY_TERM:
        return _BY_TERM[term.kind](term, lookup)
    args = [_evaluate(a, lookup) for a in term.args]
    if term.kind in _BY_VALUES:
        return _BY_VALUES[term.kind](term, *args)
    if term.kind == "call" and term.text in _OVER_ALL:
        return _OVER_ALL[term.text](_entries(term, args))
    numbers = [_number(v, a) for v, a in zip(args, term.args, strict=True)]
    if term.kind == "call":
        return _rounded(term, *numbers)
    if term.kind in _COMPARE:
        return _COMPARE[term.kind](*numbers)
    return _arithmetic(term, numbers)


def _lookup(term: Term, lookup: LookUp) -> Value:
    if term.text in ("true", "false"):
        return term.text == "true"
    try:
        value = lookup(term.text)
    except KeyError as missing:
        help = missing.args[1] if len(missing.args) > 1 else ""
        raise ExprError(f"unknown name `{term.text}`", term.start, term.end, help) from None
    if value is None:
        raise Unknown(term.text)
    return value


def _logic(term: Term, lookup: LookUp) -> bool:
    first = _truth(term.args[0], lookup)
    if term.kind == "not":
        return not first
    if first is (term.kind == "or"):
        return first
    return _truth(term.args[1], lookup)


def _truth(term: Term, lookup: LookUp) -> bool:
    value = _evaluate(term, lookup)
    if not isinstance(value, bool):
        raise ExprError(f"expected true or false, found {show_value(value)}", term.start, term.end)
    return value


_COMPARE: Mapping[str, Callable[[Fraction, Fraction], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _arithmetic(term: Term, numbers: list[Fraction]) -> Value:
    if term.kind == "neg":
        return _tidy(-numbers[0])
    left, right = numbers
    if term.kind == "**":
        _check_exponent(term.args[1], right)
    divides = term.kind in ("/", "//", "%") or (term.kind == "**" and right < 0)
    if divides and (left if term.kind == "**" else right) == 0:
        raise ExprError("division by zero", term.start, term.end)
    result = {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "/": lambda: left / right,
        "//": lambda: Fraction(left // right),
        "%": lambda: left % right,
        "**": lambda: left ** int(right),
    }[term.kind]()
    if abs(result.numerator) > MAX_MAGNITUDE or result.denominator > MAX_MAGNITUDE:
        raise ExprError("the value is out of bounds", term.start, term.end)
    return _tidy(result)


def _check_exponent(term: Term, exponent: Fraction) -> None:
    if exponent.denominator != 1 or abs(exponent) > MAX_EXPONENT:
        shown = show_value(_tidy(exponent))
        message = (
            f"the exponent is {shown}, not a whole number from -{MAX_EXPONENT} to {MAX_EXPONENT}"
        )
        raise ExprError(message, term.start, term.end)


def _rounded(term: Term, value: Fraction, divisor: Fraction | None = None) -> int:
    if divisor is None:
        return _ROUNDED[term.text](value)
    if divisor.denominator != 1 or divisor < 1:
        place, shown = term.args[1], show_value(_tidy(divisor))
        message = f"`round_to` gives a multiple of a whole number from 1, not of {shown}"
        raise ExprError(message, place.start, place.end)
    return round_to(value, int(divisor))


def round_to(value: Fraction | int, divisor: int) -> int:
    """Return the nearest multiple of `divisor`, at least one of it, never below 0.9 of the value.

    `_make_divisible` of MobileNet: tensorflow/models, research/slim/nets/mobilenet/mobilenet.py
    (`conv_defs`), which torchvision and timm have too. A half is rounded up.

    >>> round_to(33, 8), round_to(12, 8), round_to(3, 8), round_to(Fraction("19.2"), 8)
    (32, 16, 8, 24)
    """
    rounded = max(divisor, int(value + Fraction(divisor, 2)) // divisor * divisor)
    return rounded + divisor if rounded < Fraction(9, 10) * value else rounded


def _list(term: Term, *entries: Value) -> ValueList:
    out = ValueList(entries)
    if size_of(out) > limit("list_entries"):
        raise ExprError(excess("list_entries"), term.start, term.end, way_out("list_entries"))
    return out


def size_of(value: Value) -> int:
    """Return how many entries a list has, those of lists in it included."""
    return sum(1 + size_of(v) for v in value) if isinstance(value, ValueList) else 0


def _entries(term: Term, args: list[Value]) -> list[Fraction]:
    """Return the numbers that a function goes over: its arguments, or the entries of a list.

    A size is one of two: `[8, 16]` in a list is `8x16`.
    """
    first, value = term.args[0], args[0]
    if len(args) == 1 and isinstance(value, tuple):
        if not value and term.text in ("min", "max"):
            raise ExprError(f"`{term.text}` of an empty list", term.start, term.end)
        # An entry that is no number counts all the same.
        return (
            [Fraction(0)] * len(value) if term.text == "len" else [_number(v, first) for v in value]
        )
    if term.text in ("sum", "len"):
        raise ExprError(f"expected a list, found `{show_value(value)}`", first.start, first.end)
    return [_number(v, a) for v, a in zip(args, term.args, strict=True)]


def _item(term: Term, row: Value, index: Value) -> Value:
    """Return an entry of a list, or a side of a size, counted from 0; from the end below 0."""
    first, place = term.args
    if not isinstance(row, tuple):
        raise ExprError(f"expected a list, found `{show_value(row)}`", first.start, first.end)
    if isinstance(index, bool) or not isinstance(index, int):
        message = f"an index is a whole number, not `{show_value(index)}`"
        raise ExprError(message, place.start, place.end)
    if not -len(row) <= index < len(row):
        there = f"entries 0 to {len(row) - 1}" if row else "no entries"
        message = f"there is no entry {index}: the list has {there}"
        raise ExprError(message, place.start, place.end)
    return row[index]


def _number(value: Value, term: Term) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
        raise ExprError(f"expected a number, found `{show_value(value)}`", term.start, term.end)
    return Fraction(value)


def _tidy(value: Fraction) -> int | Fraction:
    return value.numerator if value.denominator == 1 else value


def _chosen(term: Term, lookup: LookUp) -> Value:
    condition, then, other = term.args
    return _evaluate(then if _truth(condition, lookup) else other, lookup)


_BY_TERM: Mapping[str, Callable[[Term, LookUp], Value]] = {
    "number": lambda term, _: _tidy(Fraction(term.text)),
    "text": lambda term, _: term.text,
    "size": lambda term, _: tuple(map(int, term.text.split("x"))),
    "name": _lookup,
    **dict.fromkeys(("and", "or", "not"), _logic),
    "if": _chosen,
}
"""Kind -> its value; only what decides is evaluated."""
_BY_VALUES: Mapping[str, Callable[..., Value]] = {
    "list": _list,
    "item": _item,
    "==": lambda term, a, b: a == b,
    "!=": lambda term, a, b: a != b,
}
"""Kind -> its value from any values of its parts."""
