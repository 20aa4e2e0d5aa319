"""Text -> formula: what `str` of a symbolic size writes, read again."""

from __future__ import annotations

import re

from compiler.graph.symbolic import Exact, letter

_TOKENS = re.compile(r"[0-9]+|[^\W\d][\w.]*|//|[-+*()]")


def formula(text: str) -> Exact:
    """Return the number or formula that a text is, as `str` writes it.

    >>> formula("2*(H//2)*W-3")
    <2*(H//2)*W-3>

    Raises:
        ValueError: it is none.
    """
    tokens = _TOKENS.findall(text)[::-1]
    try:
        value = _read_sum(tokens)
    except (IndexError, ValueError):
        value = None
    if value is None or tokens or "".join(_TOKENS.findall(text)) != text:
        raise ValueError(f"`{text}` is no size")
    return value


def _read_sum(tokens: list[str]) -> Exact:
    value = _read_product(tokens)
    while tokens and tokens[-1] in "+-":
        is_sum = tokens.pop() == "+"
        term = _read_product(tokens)
        value = value + term if is_sum else value - term
    return value


def _read_product(tokens: list[str]) -> Exact:
    value = _read_atom(tokens)
    while tokens and tokens[-1] in ("*", "//"):
        is_product = tokens.pop() == "*"
        value = value * _read_atom(tokens) if is_product else value // int(tokens.pop())
    return value


def _read_atom(tokens: list[str]) -> Exact:
    token = tokens.pop()
    if token == "-":
        return -_read_atom(tokens)
    if token == "(":
        value = _read_sum(tokens)
        return value if tokens.pop() == ")" else letter("")
    return int(token) if token.isdigit() else letter(token)
