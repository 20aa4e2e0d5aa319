"""Expressions of the language by Python's own arithmetic in fractions: a second opinion."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from tests.fuzz.arithmetic import Invalid

_TOKEN = re.compile(
    r"(?P<text>'[^']*')|(?P<size>\d+(?:x\d+)+)|(?P<number>\d+(\.\d+)?([eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_0-9]+)*)"
)
_PYTHON = {word: word for word in ("and", "or", "not", "if", "else")}
_WORDS = {**_PYTHON, "true": "True", "false": "False"}


class Entries(tuple[Any, ...]):
    """A list whose indices are fractions too."""

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(int(index))


def _divisible(value: Fraction, divisor: Fraction) -> int:
    """Return what `_make_divisible` of MobileNet computes, as it is published."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return int(rounded + divisor if rounded < Fraction("0.9") * value else rounded)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "int": math.trunc,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
    "round_to": _divisible,
    "min": lambda *values: min(values[0] if isinstance(values[0], Entries) else values),
    "max": lambda *values: max(values[0] if isinstance(values[0], Entries) else values),
    "sum": lambda values: sum(values, Fraction(0)),
    "len": len,
}


class _Lists(ast.NodeTransformer):
    def visit_List(self, node: ast.List) -> ast.AST:
        self.generic_visit(node)
        return ast.Call(ast.Name("Entries", ast.Load()), [node], [])


def evaluate(text: str, lookup: Callable[[str], Any]) -> Any:
    """Return the value of an expression: int, Fraction, bool, or what a lone name means.

    Raises:
        Invalid: a name means nothing, a division by zero, operands of the wrong type.
    """

    def python(match: re.Match[str]) -> str:
        if match["text"]:
            return match[0]
        if match["size"]:
            return f"({match[0].replace('x', ', ')})"
        if match["number"]:
            return f"Fraction('{match[0]}')"
        if match[0] in _FUNCTIONS:
            return match[0]
        return _WORDS.get(match[0], f"value('{match[0]}')")

    def value(name: str) -> Any:
        found = lookup(name)
        is_number = isinstance(found, (int, float)) and not isinstance(found, bool)
        return Fraction(str(found)) if is_number else found

    known = {"Fraction": Fraction, "value": value, "Entries": Entries, "__builtins__": {}}
    try:
        tree = _Lists().visit(ast.parse(_TOKEN.sub(python, text), mode="eval"))
        code = compile(ast.fix_missing_locations(tree), "", "eval")
        out = eval(code, {**known, **_FUNCTIONS})
    except (ArithmeticError, TypeError, SyntaxError, IndexError, ValueError) as error:
        raise Invalid(f"`{text}`: {error}") from None
    if isinstance(out, float):
        raise Invalid(f"`{text}` is no exact number")
    if isinstance(out, Fraction) and out.denominator == 1:
        return int(out)
    return out
