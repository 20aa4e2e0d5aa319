"""The expression language: exact numbers, parameters, sizes; nothing is left to Python's eval."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

Pair = tuple[int, int]
Value = int | Fraction | bool | str | Pair | tuple[Pair, Pair] | None
"""What a parameter or an expression can be; None where an error made it unknown."""

MAX_LENGTH = 400
MAX_DEPTH = 40
MAX_MAGNITUDE = 10**15
MAX_SHOWN = 10**18
"""From here on a message rounds a number."""


class ExprError(Exception):
    """An expression is wrong; `start` and `end` are offsets in its text.

    A `help` that is slow to find is a function.
    """

    def __init__(
        self, message: str, start: int, end: int, help: str | Callable[[], str] = ""
    ) -> None:
        super().__init__(message)
        self.start = start
        self.end = end
        self.help = help


class Unknown(Exception):
    """The value depends on something that an earlier error made unknown."""


@dataclass(frozen=True, slots=True)
class Term:
    """A node of the syntax tree.

    kind is `number`, `name`, `call`, an operator (`+ - * / // %`), a comparison, `and`, `or`,
    `not` or `neg`; `text` is the name or the digits.
    """

    kind: str
    text: str
    args: tuple[Term, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Expr:
    """A parsed expression and the text it came from."""

    text: str
    root: Term
    sizes: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Size that it reads, `a.channels` -> the node whose size that is, where that is known."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it reads, in order of appearance, each once."""
        found: dict[str, None] = {}
        stack = [self.root]
        while stack:
            term = stack.pop()
            if term.kind == "name":
                found[term.text] = None
            stack.extend(reversed(term.args))
        return tuple(found)


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_REST_OF_NUMBER = re.compile(r"_[0-9_]*")
_LEADING_ZERO = re.compile(r"0[0-9]")
NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?"
PATH = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*"
OPERATOR = r"//|==|!=|<=|>=|[-+*/%()<>,]"
_TOKENS = re.compile(rf"\s*(?:(?P<number>{NUMBER})|(?P<name>{PATH})|(?P<op>{OPERATOR}))")
_BINARY: tuple[tuple[str, ...], ...] = (
    ("or",),
    ("and",),
    ("==", "!=", "<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "/", "//", "%"),
)
_COMPARISONS = 2
"""The level that `not` applies to: `not a > b` is `not (a > b)`."""


def _round_half_even(x: Fraction) -> int:
    return round(x)


FUNCTIONS: dict[str, tuple[Callable[..., Value], int, str]] = {
    "int": (math.trunc, 1, "drop the fraction"),
    "floor": (math.floor, 1, "round down"),
    "ceil": (math.ceil, 1, "round up"),
    "round": (_round_half_even, 1, "round to nearest, a half to the even number: round(2.5) = 2"),
    "min": (min, 2, "the smaller of two"),
    "max": (max, 2, "the larger of two"),
}
"""Name -> function, number of arguments, what it does."""


def name_of(name: str) -> Expr:
    """Return the formula that is a name alone."""
    return Expr(name, Term("name", name, (), 0, len(name)))


def parse(text: str) -> Expr:
    """Parse an expression.

    Raises:
        ExprError: it is too long, too deep, or not in the language.
    """
    if len(text) > MAX_LENGTH:
        raise ExprError(
            f"the expression is {len(text)} characters long, {MAX_LENGTH} at most", 0, 1
        )
    parser = _Parser(text)
    root = parser.binary(0, 0)
    parser.expect_end()
    return Expr(text, root)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokenize(text))
        self.at = 0

    def peek(self) -> _Token:
        if self.at < len(self.tokens):
            return self.tokens[self.at]
        end = len(self.text)
        return _Token("end", "", end, end + 1)

    def take(self) -> _Token:
        token = self.peek()
        self.at += 1
        return token

    def fail(self, token: _Token, wanted: str) -> ExprError:
        found = f"`{token.text}`" if token.text else "the end"
        return ExprError(f"expected {wanted}, found {found}", token.start, token.end)

    def expect(self, text: str) -> _Token:
        token = self.take()
        if token.text != text:
            raise self.fail(token, f"`{text}`")
        return token

    def expect_end(self) -> None:
        token = self.peek()
        if token.kind != "end":
            raise self.fail(token, "an operator or the end")

    def binary(self, level: int, depth: int) -> Term:
        if level == len(_BINARY):
            return self.unary(depth)
        left = self.binary(level + 1, depth)
        while self.peek().text in _BINARY[level]:
            op = self.take()
            right = self.binary(level + 1, depth)
            left = Term(op.text, op.text, (left, right), left.start, right.end)
        return left

    def unary(self, depth: int) -> Term:
        if depth > MAX_DEPTH:
            token = self.peek()
            raise ExprError(
                f"the expression nests deeper than {MAX_DEPTH} levels", token.start, token.end
            )
        token = self.take()
        if token.text == "-":
            operand = self.unary(depth + 1)
            return Term("neg", token.text, (operand,), token.start, operand.end)
        if token.text == "not":
            operand = self.binary(_COMPARISONS, depth + 1)
            return Term("not", token.text, (operand,), token.start, operand.end)
        if token.text == "(":
            inner = self.binary(0, depth + 1)
            close = self.expect(")")
            return Term(inner.kind, inner.text, inner.args, token.start, close.end)
        if token.kind == "number":
            self.check_number(token)
            return Term("number", token.text, (), token.start, token.end)
        if token.kind == "name" and token.text not in ("and", "or"):
            return self.call(token, depth) if self.peek().text == "(" else _name(token)
        raise self.fail(token, "a number, a name or `(`")

    def check_number(self, token: _Token) -> None:
        """Refuse a number that is part of something else: `1_000`, `0x1F`, the date 2016-02-23."""
        hexadecimal = _HEXADECIMAL.match(self.text, token.start)
        if hexadecimal is not None:
            raise ExprError(
                f"`{hexadecimal[0]}` is no number", token.start, hexadecimal.end(),
                help=f"write {int(hexadecimal[0], 16)}; a size, 0 by so many, can't stand here",
            )  # fmt: skip
        rest = _REST_OF_NUMBER.match(self.text, token.end)
        if rest is not None:
            plain = (token.text + rest[0]).replace("_", "")
            raise ExprError(
                f"`{token.text}{rest[0]}` is no number", token.start, rest.end(),
                help=f"write {plain}",
            )  # fmt: skip
        if _LEADING_ZERO.match(token.text) and len(self.tokens) > 1:
            raise ExprError(
                f"`{token.text}` begins with a zero", token.start, token.end,
                help=f"write {token.text.lstrip('0') or 0}; text, as a date, needs quotes",
            )  # fmt: skip

    def call(self, name: _Token, depth: int) -> Term:
        if name.text not in FUNCTIONS:
            known = ", ".join(sorted(FUNCTIONS))
            raise ExprError(
                f"unknown function `{name.text}` (known: {known})", name.start, name.end
            )
        self.take()
        args = [self.binary(0, depth + 1)]
        while self.peek().text == ",":
            self.take()
            args.append(self.binary(0, depth + 1))
        close = self.expect(")")
        arity = FUNCTIONS[name.text][1]
        if len(args) != arity:
            raise ExprError(
                f"`{name.text}` takes {arity} argument{'s' * (arity > 1)}, it has {len(args)}",
                name.start,
                close.end,
            )
        return Term("call", name.text, tuple(args), name.start, close.end)


def _name(token: _Token) -> Term:
    return Term("name", token.text, (), token.start, token.end)


def _tokenize(text: str) -> list[_Token]:
    tokens, at = [], 0
    stop = len(text.rstrip())
    while at < stop:
        match = _TOKENS.match(text, at)
        if match is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            help = "powers are not in the language; multiply" if text[start] == "^" else ""
            raise ExprError(f"unexpected character `{text[start]}`", start, start + 1, help)
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match[kind], match.start(kind), match.end(kind)))
        at = match.end()
    return tokens


def evaluate(expr: Expr, lookup: Callable[[str], Value]) -> Value:
    """Return the value of an expression: exact integers and fractions, booleans, words.

    Args:
        expr: what to evaluate.
        lookup: name -> value; raises `KeyError` for a name that is not in scope.

    Raises:
        ExprError: a name is not in scope, a division by zero, operands of the wrong type.
        Unknown: a name's value is None.
    """
    return _evaluate(expr.root, lookup)


def _evaluate(term: Term, lookup: Callable[[str], Value]) -> Value:
    if term.kind == "number":
        return _tidy(Fraction(term.text))
    if term.kind == "name":
        return _lookup(term, lookup)
    if term.kind in ("and", "or", "not"):
        return _logic(term, lookup)
    args = [_evaluate(a, lookup) for a in term.args]
    if term.kind in ("==", "!="):
        return (args[0] == args[1]) is (term.kind == "==")
    numbers = [_number(v, a) for v, a in zip(args, term.args, strict=True)]
    if term.kind == "call":
        return _tidy(Fraction(FUNCTIONS[term.text][0](*numbers)))  # type: ignore[arg-type]
    if term.kind in _COMPARE:
        return _COMPARE[term.kind](*numbers)
    return _arithmetic(term, numbers)


def _lookup(term: Term, lookup: Callable[[str], Value]) -> Value:
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


def _logic(term: Term, lookup: Callable[[str], Value]) -> bool:
    first = _truth(term.args[0], lookup)
    if term.kind == "not":
        return not first
    if first is (term.kind == "or"):
        return first
    return _truth(term.args[1], lookup)


def _truth(term: Term, lookup: Callable[[str], Value]) -> bool:
    value = _evaluate(term, lookup)
    if not isinstance(value, bool):
        raise ExprError(f"expected true or false, found {value}", term.start, term.end)
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
    if term.kind in ("/", "//", "%") and right == 0:
        raise ExprError("division by zero", term.start, term.end)
    result = {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "/": lambda: left / right,
        "//": lambda: Fraction(left // right),
        "%": lambda: left % right,
    }[term.kind]()
    if abs(result.numerator) > MAX_MAGNITUDE or result.denominator > MAX_MAGNITUDE:
        raise ExprError("the value is out of bounds", term.start, term.end)
    return _tidy(result)


def _number(value: Value, term: Term) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
        raise ExprError(f"expected a number, found `{show_value(value)}`", term.start, term.end)
    return Fraction(value)


def _tidy(value: Fraction) -> int | Fraction:
    return value.numerator if value.denominator == 1 else value


def _rounded(value: int) -> str:
    digits = str(abs(value))
    return f"{'-' * (value < 0)}{digits[0]}.{digits[1:4]}e{len(digits) - 1}"


def _listed(pair: object) -> str:
    return str(list(pair)) if isinstance(pair, tuple) else str(pair)


def show_value(value: Value) -> str:
    """Return a value as a spec writes it: `22.4`, `3x3`, `true`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Fraction):
        return f"{float(value):.12g}" if abs(value) < MAX_SHOWN else _rounded(int(value))
    if isinstance(value, int) and abs(value) >= MAX_SHOWN:
        return _rounded(value)
    if isinstance(value, tuple):
        is_pair = isinstance(value[0], int)
        return f"{value[0]}x{value[1]}" if is_pair else f"[{', '.join(map(_listed, value))}]"
    return "?" if value is None else str(value)
