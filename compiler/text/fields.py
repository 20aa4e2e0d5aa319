"""The kinds of value that a spec may hold, as pydantic types: their readers, what editors know.

What an editor is told (JSON Schema) is as strict as it can be without knowing names: a word where a
number stands may be a parameter's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import WithJsonSchema
from pydantic_core.core_schema import no_info_plain_validator_function

from compiler.text.expr import Expr
from compiler.text.grammar import (
    OPEN_SIZE,
    PAIR,
    PRINTED_SIZE,
    QUOTED_NUMBER,
    Formula,
    PaddingValue,
    PairFormula,
    read_bool,
    read_border,
    read_formula,
    read_groups,
    read_list,
    read_padding,
    read_pair,
    read_range,
    read_series,
    read_sides,
    read_size,
    read_target,
    read_text,
    read_true,
)
from compiler.text.names import NAME, read_layer_name, read_name, read_output_name
from compiler.text.parse_expr import NUMBER, OPERATOR, PATH, SIZE, TEXT

_FORMULA = rf"(?:\s|{SIZE}|(?:{NUMBER}|{PATH})(?![A-Za-z0-9_.])|{TEXT}|{OPERATOR})+"
_LONE = rf"(?!{QUOTED_NUMBER.pattern}$)"
"""Refuses a number in quotes."""
_FORMULAS = f"^{_LONE}{_FORMULA}$"


if TYPE_CHECKING:
    from pydantic_core import CoreSchema


class Reader:
    """Reads a value, in the place of pydantic's own rules for its type.

    So does `PlainValidator`, which builds those rules all the same, to write models: ours are read
    alone, and the rules were a third of the time that reading a spec took.
    """

    def __init__(self, func: Callable[[Any], Any]) -> None:
        self.func = func

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        """Return the rules of the field: what the function returns or refuses."""
        return no_info_plain_validator_function(self.func)


class Choice:
    """Reads a word of a closed set, or the name of a parameter that is one (checked on use)."""

    def __init__(self, known: tuple[str, ...]) -> None:
        self.known = known

    def __call__(self, value: Any) -> str:
        """Return the word."""
        return read_text(value)


def kind(title: str, description: str, **rules: Any) -> WithJsonSchema:
    """Return what an editor knows of a kind of value."""
    told = {"patternErrorMessage": f"expected {description}"} if "pattern" in rules else {}
    return WithJsonSchema({"title": title, "description": description, **rules, **told})


def words(
    title: str, description: str, known: tuple[str, ...], *more: dict[str, Any]
) -> WithJsonSchema:
    """Return what an editor knows of a word of a closed set, or the parameter that is one."""
    about = f"{description}, or a parameter or formula that is one"
    return kind(title, about, anyOf=[*one_of(known), *more])


def one_of(known: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the rules of a word of a closed set, a parameter, or a formula that is one."""
    pattern = rf"^(?:{NAME.pattern}|{_FORMULA}\bif\b{_FORMULA})$"
    return [{"enum": list(known)}, {"type": "string", "pattern": pattern}]


def _text(pattern: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^(?:{pattern})$", **more}


def formula_or(type: str, **more: Any) -> dict[str, Any]:
    """Return the rules of a number of a type, or a formula that gives one."""
    return {"type": [type, "string"], "pattern": _FORMULAS, **more}


def _list_of(item: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the rules of a list, where the value is one: else editors begin a list for it."""
    return {"if": {"type": "array"}, "then": {"items": item, **more}}


def _two(item: dict[str, Any]) -> dict[str, Any]:
    return _list_of(item, minItems=2, maxItems=2)


_COUNT = formula_or("integer", minimum=1)
_SIDE = formula_or("integer", minimum=0)
_PAIRS = rf"^(?:{PAIR.pattern}|{_LONE}{_FORMULA})$"
_NAMES = {"type": ["string", "array"], **_list_of({"type": "string"})}


def _pairs(title: str, description: str, least: int) -> WithJsonSchema:
    """Return what an editor knows of one number for both axes, or (height, width)."""
    rules: dict[str, Any] = {"type": ["integer", "string", "array"], "minimum": least}
    return kind(title, description, **rules, pattern=_PAIRS, **_two(_COUNT if least else _SIDE))


def _borders(title: str, description: str, **more: Any) -> WithJsonSchema:
    """Return what an editor knows of pixels on every side, in numbers."""
    rules: dict[str, Any] = {"type": ["string", "integer", "array"], **more, "minimum": 0}
    side = {**_SIDE, "type": ["integer", "string", "array"], **_two(_SIDE)}
    return kind(title, description, **rules, pattern=_PAIRS, **_two(side))


Number = Annotated[
    Formula,
    Reader(read_formula),
    kind(
        "number", "a number, or a formula that gives one: `0.17`, `2 * n`", **formula_or("number")
    ),
]
Count = Annotated[
    Formula,
    Reader(read_formula),
    kind("count", "a whole number from 1, or a formula: `64`, `in.channels // 2`", **_COUNT),
]
Times = Annotated[
    Formula,
    Reader(read_formula),
    kind("times", "a whole number, or a formula: `4`, `depth - 1`", **_SIDE),
]
Whole = Annotated[
    Formula,
    Reader(read_formula),
    kind("whole number", "a whole number, or a formula", **formula_or("integer")),
]
Kernel = Annotated[
    PairFormula,
    Reader(read_pair),
    _pairs(
        "kernel",
        "`3x3` (height x width), one number for both, `[height, width]`, or a formula",
        least=1,
    ),
]
Target = Annotated[
    PairFormula,
    Reader(read_target),
    _pairs(
        "target",
        "a number, `28x28` (height x width), `[height, width]`, a formula, or a layer's name",
        least=1,
    ),
]
Extra = Annotated[
    PairFormula,
    Reader(read_sides),
    _pairs(
        "rows and columns",
        "one number for both, `1x0` (height x width), `[height, width]`, or a formula",
        least=0,
    ),
]
Padding = Annotated[
    PaddingValue,
    Reader(read_padding),
    _borders(
        "padding",
        "`same` (TensorFlow's rule), `V` (none), `half` (PyTorch's habit), a number, `0x3`, "
        "`[height, width]`, `[[top, bottom], [left, right]]`, or a formula",
        examples=["same", "V", "half"],
    ),
]
Sides = Annotated[
    PaddingValue,
    Reader(read_border),
    _borders(
        "border",
        "a number, `0x1` (height x width), `[height, width]`, `[[top, bottom], [left, right]]`, "
        "or a formula",
    ),
]
Range = Annotated[
    tuple[Formula, Formula],
    Reader(read_range),
    kind(
        "range",
        "`[start, stop]`, without the end; negative: counted from the last one",
        **{"type": "array", "items": formula_or("integer"), "minItems": 2, "maxItems": 2},
    ),
]
Groups = Annotated[
    Formula | str,
    Reader(read_groups),
    kind("groups", "a number of groups, or `depthwise`", **_COUNT, examples=["depthwise"]),
]
Size = Annotated[
    str,
    Reader(read_size),
    kind(
        "size",
        "a printed size: `35x35x384` (height x width x channels), or channels alone",
        **{**_text(PRINTED_SIZE.pattern), "type": ["string", "integer"]},
    ),
]
Flag = Annotated[
    bool | Expr,
    Reader(read_bool),
    kind(
        "flag",
        "true or false, or a formula that gives one: `index > 0`",
        type=["boolean", "string"],
        pattern=rf"^(?!(?:[Yy][Ee][Ss]|[Nn][Oo]|[Oo][Nn]|[Oo][Ff][Ff])$){_LONE}{_FORMULA}$",
    ),
]
Bare = Annotated[
    bool,
    Reader(read_true),
    kind("bare", "`true`: the word says it all", const=True),
]
Text = Annotated[str, Reader(read_text), WithJsonSchema({"type": "string"})]
Names = Annotated[
    list[str], Reader(read_list), kind("names", "a name, or a list of names", **_NAMES)
]
Series = Annotated[
    list[Any] | Expr,
    Reader(read_series),
    kind(
        "values",
        "a list of values, `[64, 128, 256]`, or a formula that gives one",
        type=["array", "string"],
        pattern=_FORMULAS,
        **_list_of(
            {
                "type": ["number", "string", "boolean", "array", "object"],
                "minProperties": 1,
                "maxProperties": 1,
            }
        ),
    ),
]
Name = Annotated[
    str,
    Reader(read_name),
    kind("name", "a letter or `_`, then letters, digits, `_`", **_text(NAME.pattern)),
]
LayerName = Annotated[
    str,
    Reader(read_layer_name),
    kind("layer name", "a letter or `_`, then letters, digits, `_`", **_text(NAME.pattern)),
]
OutputName = Annotated[
    str,
    Reader(read_output_name),
    kind("output name", "a letter, then letters, digits, `_`", **_text("(?!_)" + NAME.pattern)),
]

# What is read where more is known than the value itself.

InputSize = Annotated[
    object,
    kind(
        "input size",
        "a whole number, a letter or a multiple of one (`32*H`) that leaves it open, a parameter",
        **{**_text(OPEN_SIZE.pattern), "type": ["integer", "string"], "minimum": 1},
    ),
]
"""A size of an input: the parameters say which words are letters."""
Operands = Annotated[
    object,
    kind(
        "operands",
        "the layer that is read, a list of them, or (for a block) `{INPUT: LAYER}`",
        **{**_NAMES, "type": ["string", "array", "object"]},
        additionalProperties={"type": "string"},
    ),
]
"""What a layer reads: a name, a list, or a mapping; the op says which."""
Raw = Annotated[
    object,
    kind(
        "value",
        "a number, a size, a word, true or false, or a formula",
        type=["number", "string", "boolean", "array", "object"],
        minProperties=1,
        maxProperties=1,
    ),
]
"""A value of a parameter: its declaration says of which kind."""
