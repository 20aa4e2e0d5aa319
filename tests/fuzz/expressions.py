"""Expressions of the language by Python's own arithmetic in fractions: a second opinion."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from tests.fuzz.arithmetic import Invalid

_TOKEN = re.compile(
    r"(?P<number>\d+(\.\d+)?([eE][+-]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_0-9]+)*)"
)
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "int": math.trunc,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
    "min": min,
    "max": max,
}
_WORDS = {"and": "and", "or": "or", "not": "not", "true": "True", "false": "False"}


def evaluate(text: str, lookup: Callable[[str], Any]) -> Any:
    """Return the value of an expression: int, Fraction, bool, or what a lone name means.

    Raises:
        Invalid: a name means nothing, a division by zero, operands of the wrong type.
    """

    def python(match: re.Match[str]) -> str:
        if match["number"]:
            return f"Fraction('{match[0]}')"
        if match[0] in _FUNCTIONS:
            return match[0]
        return _WORDS.get(match[0], f"value('{match[0]}')")

    def value(name: str) -> Any:
        found = lookup(name)
        is_number = isinstance(found, (int, float)) and not isinstance(found, bool)
        return Fraction(str(found)) if is_number else found

    known = {"Fraction": Fraction, "value": value, "__builtins__": {}, **_FUNCTIONS}
    try:
        out = eval(_TOKEN.sub(python, text), known)
    except (ArithmeticError, TypeError, SyntaxError) as error:
        raise Invalid(f"`{text}`: {error}") from None
    if isinstance(out, Fraction) and out.denominator == 1:
        return int(out)
    return out
