"""The kinds of value that a spec may hold, as pydantic types and by the type of a parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import PlainValidator

from compiler.ops import ACTIVATIONS
from compiler.text import (
    PADDINGS,
    PAIR,
    Expr,
    Formula,
    PaddingValue,
    PairFormula,
    bad,
    describe,
    read_bool,
    read_formula,
    read_groups,
    read_list,
    read_padding,
    read_pair,
    read_size,
    read_text,
    read_true,
)


def read_activation(value: Any) -> str:
    """Return the name of an activation, `none`, or a parameter's name (checked on use)."""
    if not isinstance(value, str):
        raise bad(
            "bad-value", f"expected an activation, found {describe(value)}", help=_ACTIVATIONS
        )
    return value


_ACTIVATIONS = "one of none, " + ", ".join(ACTIVATIONS)


READERS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("channels", "int", "number"), read_formula),
    "bool": read_bool,
    "kernel": read_pair,
    "padding": read_padding,
    "activation": read_activation,
    "text": read_text,
}
"""Type of a parameter -> what reads its values: the readers of the keys that they stand in for."""


def guess_type(value: Any) -> str:
    """Return the type of a parameter that is given by its default alone."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, str) and (value in ACTIVATIONS or value == "none"):
        return "activation"
    if isinstance(value, str) and value in PADDINGS:
        return "padding"
    is_pair = isinstance(value, str) and PAIR.fullmatch(value)
    parts = list(map(int, value.split("x"))) if is_pair else value
    if not isinstance(parts, list):
        return "number"
    return "padding" if 0 in parts or any(isinstance(p, list) for p in parts) else "kernel"


Number = Annotated[Formula, PlainValidator(read_formula)]
Kernel = Annotated[PairFormula, PlainValidator(read_pair)]
Padding = Annotated[PaddingValue, PlainValidator(read_padding)]
Groups = Annotated[Formula | str, PlainValidator(read_groups)]
Size = Annotated[str, PlainValidator(read_size)]
ActivationName = Annotated[str, PlainValidator(read_activation)]
Flag = Annotated[bool | Expr, PlainValidator(read_bool)]
Bare = Annotated[bool, PlainValidator(read_true)]
Text = Annotated[str, PlainValidator(read_text)]
Names = Annotated[list[str], PlainValidator(read_list)]
