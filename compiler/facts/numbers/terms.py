"""Formulas of a spec -> JSON: trees over a few operations, exact as the language is.

    3, true             a number, true or false
    "n"                 a name of the frame: a parameter, or a name of its `let`
    ["q", "1", "3"]     a fraction
    ["'", "relu"]       a word
    ["list", a, b]      a list, or a size
    ["#", REF, AXIS]    an axis of a tensor: 0 channels, 1 height, 2 width
    ["if", c, a, b]     a where c holds, else b
    ["+", a, b]         `+ * / // % ** < ==`, `item`, `len`, `min`, `max`, `sum`
    ["?"]               what is not known here

The rest of the language is written with these: `a and b` is `b if a else false`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from compiler.ops import WORD_VALUES
from compiler.text import Expr, ExprError, Term, Unknown, Value, evaluate

Json = Any
AXES = ("channels", "height", "width")
Reference = Callable[[str], Json]
"""Node -> what stands for its tensor."""
HALF = ["q", "1", "2"]


def value_json(value: Value) -> Json:
    """Return a value as the formula that it is."""
    if isinstance(value, Fraction):
        return ["q", str(value.numerator), str(value.denominator)]
    if isinstance(value, str):
        return ["'", value]
    if isinstance(value, tuple):
        return ["list", *map(value_json, value)]
    return ["?"] if value is None else value


def _not(a: Json) -> Json:
    return ["if", a, False, True]


def _negative(a: Json) -> Json:
    return ["*", -1, a]


def _cut(a: Json) -> Json:
    return ["if", ["<", a, 0], _negative(["//", _negative(a), 1]), ["//", a, 1]]


def _rounded(a: Json) -> Json:
    """Half of an odd number goes to the even one: 2.5 to 2."""
    near = ["//", ["+", a, HALF], 1]
    is_half = ["==", ["%", a, 1], HALF]
    is_odd = ["if", ["==", ["%", near, 2], 1], ["+", near, -1], near]
    return ["if", is_half, is_odd, near]


def _round_to(a: Json, by: Json) -> Json:
    if not isinstance(by, int) or by < 1:
        return ["?"]
    near = ["*", by, ["//", _cut(["+", a, ["q", str(by), "2"]]), by]]
    most = ["if", ["<", near, by], by, near]
    return ["if", ["<", most, ["*", ["q", "9", "10"], a]], ["+", most, by], most]


def _power(a: Json, by: Json) -> Json:
    if not isinstance(by, int) or abs(by) > 64:
        return ["?"]
    return ["**", a, by] if by >= 0 else ["/", 1, ["**", a, -by]]


_WRITTEN: Mapping[str, Callable[..., Json]] = {
    "-": lambda a, b: ["+", a, _negative(b)],
    "neg": _negative,
    "not": _not,
    "and": lambda a, b: ["if", a, b, False],
    "or": lambda a, b: ["if", a, True, b],
    "!=": lambda a, b: _not(["==", a, b]),
    ">": lambda a, b: ["<", b, a],
    "<=": lambda a, b: _not(["<", b, a]),
    ">=": lambda a, b: _not(["<", a, b]),
    "int": _cut,
    "floor": lambda a: ["//", a, 1],
    "ceil": lambda a: _negative(["//", _negative(a), 1]),
    "round": _rounded,
    "round_to": _round_to,
    "**": _power,
}
"""What is written with other operations."""


def term_json(term: Term, name: Callable[[str], Json]) -> Json:
    """Return a formula as JSON; `name` gives what stands for a name."""
    known = _known(term)
    if known is not None:
        return value_json(known)
    if term.kind == "name":
        return name(term.text)
    head = term.text if term.kind == "call" else term.kind
    parts = [term_json(part, name) for part in term.args]
    if head in ("min", "max") and len(parts) == 1 and parts[0][:1] == ["list"]:
        parts = parts[0][1:]
    return _WRITTEN[head](*parts) if head in _WRITTEN else [head, *parts]


def formula_json(formula: Expr, names: frozenset[str], tensor: Reference) -> Json:
    """Return a formula as JSON.

    Args:
        formula: what is written.
        names: the names of its frame.
        tensor: gives what stands for the tensor of a node.
    """

    def name(text: str) -> Json:
        if text in formula.sizes:
            return ["#", tensor(formula.sizes[text]), AXES.index(text.rpartition(".")[2])]
        if text in names:
            return text
        return ["'", WORD_VALUES[text]] if text in WORD_VALUES else ["?"]

    return term_json(formula.root, name)


def _no_name(name: str) -> Value:
    raise KeyError(name)


def _known(term: Term) -> Value:
    """Return the value of a term that reads no name, None where it does."""
    try:
        return evaluate(Expr("", term), _no_name)
    except (ExprError, Unknown):
        return None
