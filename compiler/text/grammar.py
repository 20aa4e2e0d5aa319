"""One reader for each kind of value: numbers and formulas, kernels, padding, sizes, words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Literal

from pydantic_core import PydanticCustomError

from compiler.text.expr import Expr, ExprError, list_of, show_value
from compiler.text.parse_expr import parse

Formula = Expr | int | Fraction
"""A number, or an expression of one."""

PAIR = re.compile(r"([0-9]{1,18})x([0-9]{1,18})")
_MEANT_AS_PAIR = re.compile(r"[\d:.,xX×* ]+")
PRINTED_SIZE = re.compile(r"[0-9]{1,9}(x[0-9]{1,9}x[0-9]{1,9})?")
OPEN_SIZE = re.compile(r"(?:([1-9][0-9]{0,5})\*)?([^\W\d]\w*)")
"""A size that is left open: a letter, or a multiple of one, `32*H`."""
QUOTED_NUMBER = re.compile(r"\s*[-+]?[0-9.]+\s*")
_LONGEST = 40
"""Characters of a number; YAML takes what is longer for a text."""


def bad(kind: str, message: str, **context: Any) -> PydanticCustomError:
    """Return an error for pydantic to collect; `start` and `end` point inside a text."""
    escaped = message.replace("{", "(").replace("}", ")")
    return PydanticCustomError(kind, escaped, context)


def describe(value: Any) -> str:
    """Return what a value is, for an error: the text 3,3; true; a list of 2."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f"the text `{value if len(value) <= 60 else value[:57] + '...'}`"
    if isinstance(value, (int, Fraction)):
        return f"`{show_value(value)}`"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "a mapping" if isinstance(value, dict) else f"`{value}`"


def read_formula(value: Any) -> Formula:
    """Return a number, or a text parsed as an expression."""
    if isinstance(value, bool) or not isinstance(value, (int, Fraction, Expr, str)):
        raise bad("bad-value", f"expected a number or an expression, found {describe(value)}")
    if not isinstance(value, str):
        return value
    if QUOTED_NUMBER.fullmatch(value):
        shown = describe_text(value)
        if len(value) > _LONGEST:
            raise bad("bad-value", f"`{shown}` is too long for a number ({_LONGEST} digits)")
        message = f"expected a number, found the quoted text `{shown}`"
        raise bad("bad-value", message, help="take the quotes off")
    try:
        return parse(value)
    except ExprError as error:
        raise bad(
            "bad-expression",
            f"in `{describe_text(value)}`: {error}",
            start=error.start,
            end=error.end,
            help=error.help,
        ) from None


def describe_text(text: str) -> str:
    """Return a text cut to a length that fits an error line."""
    return text if len(text) <= 60 else text[:57] + "..."


PairFormula = Formula | tuple[Formula, Formula]


def _is_meant_as_pair(text: str) -> bool:
    is_power = "**" in text
    return bool(_MEANT_AS_PAIR.fullmatch(text)) and not (is_power or QUOTED_NUMBER.fullmatch(text))


def read_pair(value: Any) -> PairFormula:
    """Return one formula for both axes, or (height, width): `2`, `3x3`, `[1, 7]`, `k`."""
    if isinstance(value, str) and (match := PAIR.fullmatch(value)):
        return int(match[1]), int(match[2])
    if isinstance(value, str) and _is_meant_as_pair(value):
        meant = re.sub(r"[:,.X×* ]+", "x", value.strip())
        help = f"write {meant}" if PAIR.fullmatch(meant) else ""
        shown = describe_text(value)
        raise bad("bad-value", f"`{shown}` is not a size; {_PAIR_FORMS}", help=help)
    if isinstance(value, list):
        if len(value) != 2:
            raise bad("bad-value", f"a list of {len(value)} is not a size; {_PAIR_FORMS}")
        return read_formula(value[0]), read_formula(value[1])
    if value is None or isinstance(value, (dict, bool)):
        raise bad("bad-value", f"{describe(value)} is not a size; {_PAIR_FORMS}")
    return read_formula(value)


def read_target(value: Any) -> PairFormula:
    """Return a number, (height, width), or a formula, which may be the name of a layer."""
    return read_pair(value)


def read_sides(value: Any) -> PairFormula:
    """Return the same for what may be 0."""
    return read_pair(value)


_PAIR_FORMS = "write one number, `3x3` (height x width) or `[height, width]`"

PaddingValue = Literal["same", "valid"] | PairFormula | tuple[PairFormula, PairFormula]
PADDINGS: Mapping[Any, Literal["same", "valid"]] = {
    **dict.fromkeys(("same", "SAME"), "same"),
    **dict.fromkeys(("V", "valid", "VALID"), "valid"),
}
"""Word -> the padding that it means."""
HALF = "half"
"""The word for `dilation * (k - 1) // 2` on every side, PyTorch's habit; a parameter of that name
goes before."""


def read_range(value: Any) -> tuple[Formula, Formula]:
    """Return where a range begins, and where it ends: `[0, 58]`, `[n, -1]`."""
    if not isinstance(value, list) or len(value) != 2:
        raise bad("bad-value", f"{describe(value)} is not a range; write `[start, stop]`")
    return read_formula(value[0]), read_formula(value[1])


def read_padding(value: Any) -> PaddingValue:
    """Return `same`, `valid`, a formula, (height, width), or ((top, bottom), (left, right))."""
    if isinstance(value, str) and value in PADDINGS:
        return PADDINGS[value]
    if isinstance(value, list) and len(value) == 2 and all(isinstance(v, list) for v in value):
        (top, bottom), (left, right) = (_exactly_two(v) for v in value)
        return (
            (read_formula(top), read_formula(bottom)),
            (read_formula(left), read_formula(right)),
        )
    if (
        value is None
        or isinstance(value, (dict, bool))
        or (isinstance(value, list) and len(value) != 2)
    ):
        raise bad("bad-value", f"{describe(value)} is not a padding; {_PADDING_FORMS}")
    return read_pair(value)


_PADDING_FORMS = (
    "write `same`, `V` (valid), `half`, a number, `[height, width]` or "
    "`[[top, bottom], [left, right]]`"
)


def read_border(value: Any) -> PaddingValue:
    """Return a padding in numbers."""
    if isinstance(value, str) and value in (*PADDINGS, HALF):
        help = "a border is so many pixels: `1`, `[height, width]` or `[[0, 1], [0, 1]]`"
        raise bad("bad-value", f"`{value}` is no border", help=help)
    return read_padding(value)


def _exactly_two(value: list[Any]) -> tuple[Any, Any]:
    if len(value) != 2:
        raise bad("bad-value", f"a list of {len(value)} is not a padding; {_PADDING_FORMS}")
    return value[0], value[1]


def read_size(value: Any) -> str:
    """Return a printed size, `35x35x384` (height x width x channels) or `1000`."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not PRINTED_SIZE.fullmatch(text):
        raise bad(
            "bad-value",
            f"{describe(value)} is not a printed size",
            help="write height x width x channels, as in 35x35x384",
        )
    return text


def read_bool(value: Any) -> bool | Expr:
    """Return true or false, or an expression of one."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("yes", "no", "on", "off"):
        word = "true" if value.lower() in ("yes", "on") else "false"
        raise bad(
            "bad-value", f"expected true or false, found the text `{value}`", help=f"write {word}"
        )
    if not isinstance(value, str):
        raise bad("bad-value", f"expected true or false, found {describe(value)}")
    formula = read_formula(value)
    assert isinstance(formula, Expr)
    return formula


def read_true(value: Any) -> bool:
    """Return true: the principal argument of an op that takes none."""
    if value is not True:
        raise bad(
            "bad-value",
            f"expected `true`, found {describe(value)}",
            help="write `true` or the word alone",
        )
    return True


def read_groups(value: Any) -> Formula | str:
    """Return a number of groups, or `depthwise`."""
    return value if value == "depthwise" else read_formula(value)


def read_text(value: Any) -> str:
    """Return a text."""
    if not isinstance(value, str):
        help = "" if isinstance(value, list | dict) else "put it in quotes"
        raise bad("bad-value", f"expected a text, found {describe(value)}", help=help)
    return value


def read_series(value: Any) -> list[Any] | Expr:
    """Return the values that a loop goes over, or a formula that gives them."""
    if isinstance(value, str):
        read = read_formula(value)
        assert isinstance(read, Expr)
        return read
    if not isinstance(value, list):
        raise bad(
            "bad-value",
            f"expected a list of values, found {describe(value)}",
            help="write `[64, 128, 256]`, or a parameter that is a list",
        )
    return value


def as_formula(written: Any) -> Expr:
    """Return a list that YAML holds, of numbers, words and formulas, as the one formula it is."""
    if isinstance(written, list):
        return list_of([as_formula(entry) for entry in written])
    return parse(written if isinstance(written, str) else show_value(written))


_CHOICE = re.compile(r"\bif\b|[\[('\"]")
"""What a word has that is a formula, `relu if index == 0 else none`, or an entry of a list."""


def read_word(value: Any) -> str | Expr:
    """Return a word, or the name of a parameter that is one, as it is; else a formula of one."""
    if not isinstance(value, str) or not _CHOICE.search(value):
        return read_text(value)
    formula = read_formula(value)
    assert isinstance(formula, Expr)
    return formula


def read_list(value: Any) -> list[Any]:
    """Return a list, or a single text as a list of one."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise bad("bad-value", f"expected a name or a list of names, found {describe(value)}")
    return value
