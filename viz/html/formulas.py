"""Values and formulas of a spec -> JSON: exact fractions, syntax trees, words as they are."""

from __future__ import annotations

from collections.abc import Container, Mapping
from fractions import Fraction
from typing import Any

from pydantic_core import PydanticCustomError

from compiler.ops import ACTIVATION_WORDS, NORM_WORDS, WORD_VALUES, Parametric, spelled, with_words
from compiler.spec import READERS, BrokenParam, ParamSpec, guess_type, plain_default
from compiler.text import Expr, ExprError, Term, Unknown, Value, evaluate, name_of, read_formula

_WORDS = {"activation": ACTIVATION_WORDS, "norm": NORM_WORDS}
"""Type of a parameter -> the words that are its values; any other is a formula."""


def differs(param: ParamSpec, value: Value) -> bool:
    """True where a value is not the default; a formula's value is not known here."""
    if isinstance(param, BrokenParam):
        return False
    default = plain_default(param)
    return default is not None and default != value


def formula_of(written: Any) -> Any:
    """Return an argument as an expression where it is one, else as it is written."""
    if not isinstance(written, str):
        return written
    try:
        return read_formula(written)
    except PydanticCustomError:
        return written


def argument_of(type: str, written: Any, params: Container[str] = ()) -> Any:
    """Return an argument as its type reads it: a word, a number, a formula or a pair of them.

    Args:
        type: the type of the parameter.
        written: the argument.
        params: names of parameters, which may hand over a block.
    """
    if isinstance(written, str) and type in _WORDS and written not in _WORDS[type]:
        return formula_of(written)
    if type == "block" and written in params:
        return name_of(written)
    if isinstance(written, list) and type == "list":
        return [argument_of(guess_type(entry), entry) for entry in written]
    if type == "number" and isinstance(written, str):
        return formula_of(written)
    try:
        return READERS[type](written)
    except PydanticCustomError:
        return None


def default_of(param: ParamSpec) -> Any:
    """Return a parameter's default: a value of its type, or a formula over those before it."""
    value = plain_default(param)
    return encode(argument_of(param.type, param.default) if value is None else value)


def value_of(written: Any, arguments: Mapping[str, Value]) -> Value:
    """Return what a default that is a formula comes to, None where it is none or is wrong."""
    formula = formula_of(written)
    if not isinstance(formula, Expr):
        return None
    try:
        return evaluate(formula, with_words(arguments.__getitem__))
    except (ExprError, Unknown, KeyError):
        return None


def encode(value: Any) -> Any:
    """Return a field's value as JSON: fractions as {q}, formulas as {x: text, t: tree}."""
    if isinstance(value, Expr):
        return {"x": value.text, "t": _tree(value.root)}
    if isinstance(value, Parametric):
        argument = value.argument
        if isinstance(argument, Expr):
            return {"called": value.word, "argument": encode(argument)}
        return spelled(value.word, argument if isinstance(argument, str) else float(argument))
    if isinstance(value, tuple | list):
        return [encode(v) for v in value]
    return plain(value)


def plain(value: Any) -> Any:
    """Return a value as JSON: a fraction as {q: [numerator, denominator]}, a pair as a list."""
    if isinstance(value, Fraction):
        return {"q": [str(value.numerator), str(value.denominator)]}
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    return value if isinstance(value, bool | int | str) else None


def _tree(term: Term) -> list[Any]:
    if term.kind == "name" and term.text in WORD_VALUES:
        return ["name", term.text, WORD_VALUES[term.text]]
    if term.kind in ("number", "name", "text", "size"):
        return [term.kind, term.text]
    head = ["call", term.text] if term.kind == "call" else [term.kind]
    return [*head, *map(_tree, term.args)]
