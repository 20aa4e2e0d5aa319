"""Parameters of blocks and networks: what they may be called, and the readers of their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from compiler.ops import ACTIVATION_WORDS, read_activation
from compiler.text import (
    FUNCTIONS,
    PADDINGS,
    PAIR,
    read_bool,
    read_formula,
    read_padding,
    read_pair,
    read_text,
)
from compiler.text.names import read_name, taken

_VALUES = frozenset(
    [
        *PADDINGS,
        *FUNCTIONS,
        *ACTIVATION_WORDS,
    ]
)
"""Words that mean something else where a value stands: no parameter is called so."""


def read_param_name(value: Any) -> str:
    """Return the name of a parameter, which no word of the language uses."""
    name = read_name(value)
    if name in _VALUES:
        raise taken(name, "it is a word of the language")
    return name


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
    if isinstance(value, str) and value in ACTIVATION_WORDS:
        return "activation"
    if isinstance(value, str) and value in PADDINGS:
        return "padding"
    is_pair = isinstance(value, str) and PAIR.fullmatch(value)
    parts = read_pair(value) if is_pair else value
    if not isinstance(parts, (tuple, list)):
        return "number"
    return "padding" if 0 in parts or any(isinstance(p, list) for p in parts) else "kernel"
