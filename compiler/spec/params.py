"""Parameters of blocks and networks: what they may be called, and the readers of their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from compiler.ops import ACTIVATION_WORDS, NORM_WORDS, WORD_VALUES, ActivationName, NormName
from compiler.text import FUNCTIONS, HALF, PADDINGS, PAIR, read_pair
from compiler.text.fields import Count, Flag, Kernel, Number, Padding, Series, Text, Whole
from compiler.text.names import read_name, reserved

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
    name = read_name(value, "param")
    if name in _VALUES:
        raise reserved(name, "it is a word of the language")
    return name


KINDS: Mapping[str, Any] = {
    "channels": Count,
    "int": Whole,
    "number": Number,
    "bool": Flag,
    "kernel": Kernel,
    "padding": Padding,
    "activation": ActivationName,
    "norm": NormName,
    "block": Text,
    "list": Series,
    "text": Text,
}
"""Type of a parameter -> the kind of its values: that of the keys that they stand in for."""
READERS: Mapping[str, Callable[[Any], Any]] = {
    type: kind.__metadata__[0].func for type, kind in KINDS.items()
}
"""Type of a parameter -> what reads its values."""


def _is_word(value: Any) -> bool:
    """True for an entry that no size and no padding has."""
    return isinstance(value, str) and (value in WORD_VALUES or bool(PAIR.fullmatch(value)))


def guess_type(value: Any) -> str:
    """Return the type of a parameter that is given by its default alone."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    word = next(iter(value)) if isinstance(value, dict) and len(value) == 1 else value
    if isinstance(word, str) and word in ACTIVATION_WORDS:
        return "activation"
    if isinstance(word, str) and (word in NORM_WORDS or (word == "group_norm" and word != value)):
        return "norm"
    if isinstance(value, str) and (value in PADDINGS or value == HALF):
        return "padding"
    is_pair = isinstance(value, str) and PAIR.fullmatch(value)
    if isinstance(value, list) and (len(value) != 2 or any(map(_is_word, value))):
        return "list"
    parts = read_pair(value) if is_pair else value
    if not isinstance(parts, (tuple, list)):
        return "number"
    return "padding" if 0 in parts or any(isinstance(p, list) for p in parts) else "kernel"
