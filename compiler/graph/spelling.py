"""How a printed graph spells attributes and arguments, and what each spelling means."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from typing import Literal, Union, get_args, get_origin, get_type_hints

from compiler.graph.formula import formula
from compiler.graph.op import Op
from compiler.graph.shapes import Dim, Pads, Pair, show
from compiler.graph.words import padding_text
from compiler.text import Value, ValueList, show_value

_PAIR = re.compile(r"[0-9]+(x[0-9]+)+")
_INT = re.compile(r"-?[0-9]+")
_PADS = re.compile(r"([0-9]+),([0-9]+),([0-9]+),([0-9]+)|([0-9]+)x([0-9]+)|([0-9]+)")
_WORD = re.compile(r"[A-Za-z_]\w*")
_PAIRS = re.compile(r"\[\[([0-9]+), ([0-9]+)\], \[([0-9]+), ([0-9]+)\]\]")
QUOTED = r'"(?:[^"\\]|\\.)*"'
_ENTRY = re.compile(rf"\[[^\]]*\]|{QUOTED}|[^\s,\[\]]+")


def quoted(text: str) -> str:
    """Return a text in quotes, on one line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def attribute_text(name: str, value: object) -> str:
    """Return an attribute: `3x3`, `[3, H, W]`, `0.17`, `same`, `true`; numbers with every digit."""
    if name == "padding":
        return padding_text(value)  # type: ignore[arg-type]
    if isinstance(value, tuple):
        if len(value) > 1 and all(isinstance(v, int) for v in value):
            return "x".join(map(str, value))
        return f"[{', '.join(show(v) for v in value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_attribute(name: str, text: str) -> object:
    """Return the attribute that a text is.

    Raises:
        ValueError: it is none.
    """
    if name == "padding":
        return _padding(text)
    if text.startswith("["):
        return tuple(map(_element, text[1:-1].split(", ")))
    if _PAIR.fullmatch(text):
        return tuple(map(int, text.split("x")))
    if text in ("true", "false"):
        return text == "true"
    return text if _WORD.fullmatch(text) and text not in ("inf", "nan") else _number(text)


def _padding(text: str) -> Pads | Literal["same"]:
    match = _PADS.fullmatch("0" if text == "V" else text)
    if text == "same" or match is None:
        return "same" if text == "same" else _refuse(text)
    if match[7]:
        return (int(match[7]), int(match[7])), (int(match[7]), int(match[7]))
    if match[5]:
        return (int(match[5]), int(match[5])), (int(match[6]), int(match[6]))
    return (int(match[1]), int(match[2])), (int(match[3]), int(match[4]))


def _refuse(text: str) -> Literal["same"]:
    raise ValueError(f"`{text}` is no padding")


def _element(text: str) -> Dim | float:
    is_float = re.fullmatch(r"-?[0-9.]+(e-?[0-9]+)?", text) and not _INT.fullmatch(text)
    return float(text) if is_float else read_dim(text)


def _number(text: str) -> int | float:
    return int(text) if _INT.fullmatch(text) else float(text)


def read_dim(text: str) -> Dim:
    """Return the size that a text is: a number, a formula, `?`.

    Raises:
        ValueError: it is none.
    """
    return None if text == "?" else formula(text)


def fits(op: type[Op], name: str, value: object) -> bool:
    """True where an attribute of an operation may have this value, by its type."""
    return _is_a(value, get_type_hints(op)[name])


def _is_a(value: object, hint: object) -> bool:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in parts
    if origin is Union or type(hint).__name__ == "UnionType":
        return any(_is_a(value, part) for part in parts)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        each = parts[:1] * len(value) if parts[-1] is ... else parts
        return len(each) == len(value) and all(map(_is_a, value, each))
    return type(value) is hint


def argument_text(value: Value) -> str:
    """Return an argument of a block: as in a spec where that says it exactly."""
    text = show_value(value)
    if isinstance(value, ValueList):
        return f"[{', '.join(map(argument_text, value))}]"
    if isinstance(value, str):
        return text if _WORD.fullmatch(text) and text not in ("true", "false") else quoted(text)
    if isinstance(value, Fraction) and Fraction(text) != value:
        return f"{value.numerator}/{value.denominator}"
    return text


def _pairs(text: str) -> tuple[Pair, Pair] | None:
    """Return padding for every side, `[[0, 1], [1, 0]]`; None for another list."""
    found = _PAIRS.fullmatch(text)
    if found is None:
        return None
    top, bottom, left, right = map(int, found.groups())
    return (top, bottom), (left, right)


def read_argument(text: str) -> Value:
    """Return the argument that a text without quotes is.

    Raises:
        ValueError: it is none.
    """
    if text.startswith("["):
        return _pairs(text) or ValueList(
            json.loads(entry) if entry.startswith('"') else read_argument(entry)
            for entry in _ENTRY.findall(text[1:-1])
        )
    if text == "?":
        return None
    if "/" in text:
        return Fraction(text)
    value = read_attribute("", text)
    return Fraction(text) if isinstance(value, float) else value  # type: ignore[return-value]
