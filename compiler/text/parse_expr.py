"""Text -> the syntax tree of an expression."""

from __future__ import annotations

import re
from typing import NamedTuple

from compiler.text.evaluate import FUNCTIONS
from compiler.text.expr import Expr, ExprError, Term

MAX_LENGTH = 400
MAX_DEPTH = 40


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_REST_OF_NUMBER = re.compile(r"_[0-9_]*")
_LEADING_ZERO = re.compile(r"0[0-9]")
NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?"
SIZE = r"[0-9]{1,9}(?:x[0-9]{1,9}){1,2}(?![A-Za-z0-9_.])"
TEXT = """'[^']*'|"[^"]*\""""
PATH = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*"
OPERATOR = r"\*\*|//|==|!=|<=|>=|[-+*/%()<>,\[\]]"
_TOKENS = re.compile(
    rf"\s*(?:(?P<size>{SIZE})|(?P<number>{NUMBER})|(?P<text>{TEXT})|(?P<name>{PATH})"
    rf"|(?P<op>{OPERATOR}))"
)
_BINARY: tuple[tuple[str, ...], ...] = (
    ("or",),
    ("and",),
    ("==", "!=", "<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "/", "//", "%"),
)
_COMPARISONS = 2
"""The level that `not` applies to: `not a > b` is `not (a > b)`."""
_NO_OPERANDS = ("and", "or", "if", "else")
"""Words that stand between operands."""


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
    root = parser.conditional(0)
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

    def conditional(self, depth: int) -> Term:
        """Parse `a if c else b`; what follows `else` may be one again."""
        self.check_depth(depth)
        then = self.binary(0, depth)
        if self.peek().text != "if":
            return then
        self.take()
        condition = self.binary(0, depth)
        self.expect("else")
        other = self.conditional(depth + 1)
        return Term("if", "if", (condition, then, other), then.start, other.end)

    def binary(self, level: int, depth: int) -> Term:
        if level == len(_BINARY):
            return self.unary(depth)
        left = self.binary(level + 1, depth)
        while self.peek().text in _BINARY[level]:
            op = self.take()
            right = self.binary(level + 1, depth)
            left = Term(op.text, op.text, (left, right), left.start, right.end)
        return left

    def check_depth(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            token = self.peek()
            raise ExprError(
                f"the expression nests deeper than {MAX_DEPTH} levels", token.start, token.end
            )

    def unary(self, depth: int) -> Term:
        self.check_depth(depth)
        token = self.peek()
        if token.text == "-":
            self.take()
            operand = self.unary(depth + 1)
            return Term("neg", token.text, (operand,), token.start, operand.end)
        if token.text == "not" and token.kind == "name":
            self.take()
            operand = self.binary(_COMPARISONS, depth + 1)
            return Term("not", token.text, (operand,), token.start, operand.end)
        base = self.postfix(depth)
        if self.peek().text != "**":
            return base
        self.take()
        exponent = self.unary(depth + 1)
        return Term("**", "**", (base, exponent), base.start, exponent.end)

    def postfix(self, depth: int) -> Term:
        """Parse an operand and the indices behind it: `widths[index]`."""
        term = self.operand(depth)
        while self.peek().text == "[":
            self.take()
            index = self.conditional(depth + 1)
            close = self.expect("]")
            term = Term("item", "[", (term, index), term.start, close.end)
        return term

    def operand(self, depth: int) -> Term:
        token = self.take()
        if token.kind in ("text", "size"):
            text = token.text[1:-1] if token.kind == "text" else token.text
            return Term(token.kind, text, (), token.start, token.end)
        if token.text == "(":
            inner = self.conditional(depth + 1)
            close = self.expect(")")
            return Term(inner.kind, inner.text, inner.args, token.start, close.end)
        if token.text == "[":
            parts, close = self.rest_of_list("]", depth)
            return Term("list", "[", parts, token.start, close.end)
        if token.kind == "number":
            self.check_number(token)
            return Term("number", token.text, (), token.start, token.end)
        if token.kind == "name" and token.text not in _NO_OPERANDS:
            return self.call(token, depth) if self.peek().text == "(" else _name(token)
        raise self.fail(token, "a number, a name or `(`")

    def rest_of_list(self, end: str, depth: int) -> tuple[tuple[Term, ...], _Token]:
        """Parse what stands between brackets, with commas between, and what closes them."""
        parts = [self.conditional(depth + 1)]
        while self.peek().text == ",":
            self.take()
            parts.append(self.conditional(depth + 1))
        return tuple(parts), self.expect(end)

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
        args, close = self.rest_of_list(")", depth)
        wanted = FUNCTIONS[name.text].arguments
        if wanted and len(args) != wanted:
            raise ExprError(
                f"`{name.text}` takes {wanted} argument{'s' * (wanted > 1)}, it has {len(args)}",
                name.start,
                close.end,
            )
        return Term("call", name.text, args, name.start, close.end)


def _name(token: _Token) -> Term:
    return Term("name", token.text, (), token.start, token.end)


def _tokenize(text: str) -> list[_Token]:
    tokens, at = [], 0
    stop = len(text.rstrip())
    while at < stop:
        match = _TOKENS.match(text, at)
        if match is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            help = "write a power as `a ** b`" if text[start] == "^" else ""
            if text[start] in "'\"":
                help = "a text ends with the quote that it begins with"
            raise ExprError(f"unexpected character `{text[start]}`", start, start + 1, help)
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match[kind], match.start(kind), match.end(kind)))
        at = match.end()
    return tokens
