"""What things in a spec may be called: refused is only what cannot be built under its name."""

from __future__ import annotations

import re
from keyword import kwlist
from typing import Any

from compiler.text.grammar import bad, describe, describe_text
from compiler.text.module_names import MODULE_NAMES

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_KEYWORDS = frozenset(kwlist)
_REFERENCES = frozenset(("in", "prev", "index", "true", "false"))
"""Words that mean something else where a name is looked up."""
_SOURCE = frozenset(("self", "torch", "nn"))
"""What every line of an emitted class reads."""
_METHODS = frozenset(("probabilities",))
"""Methods of an emitted network that torch's modules do not have."""


def read_name(value: Any, noun: str = "name") -> str:
    """Return a name: a letter or `_`, then letters, digits and `_`; no word of the language.

    `noun` begins a name that is suggested for one that begins with a digit.
    """
    if not isinstance(value, str):
        is_number = isinstance(value, int) and not isinstance(value, bool)
        help = _suggest_name(str(value) if is_number else "", noun)
        raise bad("bad-name", f"a name is text, found {describe(value)}", help=help)
    if not NAME.fullmatch(value):
        raise bad(
            "bad-name",
            f"`{describe_text(value)}` is not a name: "
            "a letter or `_` first, then letters, digits or `_`",
            help=_suggest_name(value, noun),
        )
    if value in _REFERENCES:
        raise reserved(value, "it is a word of the language")
    if value in _KEYWORDS:
        raise reserved(value, "it is a keyword of Python")
    if value.startswith("__") or value == "_":
        raise reserved(value, "Python keeps such names for itself")
    return value


def read_layer_name(value: Any) -> str:
    """Return the name of a layer, a branch or a block, which a module has as an attribute."""
    name = read_name(value, "layer")
    if name in MODULE_NAMES:
        raise reserved(name, "every torch module has an attribute of that name")
    if name in _SOURCE:
        raise reserved(name, "emitted source uses the word")
    if name in _METHODS:
        raise reserved(name, "a network has a method of that name")
    return name


def read_output_name(value: Any) -> str:
    """Return the name of an output, which is a field of the tuple that `forward` returns."""
    if isinstance(value, str) and value.isdecimal():  # of the copies of a `repeat`, `a.0`
        help = "give it a name of its own: `{name: first, from: ...}`"
        raise bad("bad-name", f"`{value}` is not a name: a letter first", help=help)
    name = read_name(value)
    if name.startswith("_"):
        raise bad(
            "bad-name",
            f"`{name}` is no name for an output: a field of a named tuple starts with a letter",
            help=f"write `{{name: {name.strip('_')}, from: {name}}}`",
        )
    return name


def reserved(name: str, why: str) -> Exception:
    """Return the error for a name that means something else."""
    help = f"call it `{name.strip('_') or 'layer'}_1` or another name"
    return bad("bad-name", f"`{name}` is taken: {why}", help=help)


def read_input_name(value: Any) -> str:
    """Return the name of an input."""
    return read_name(value, "input")


def read_recipe_name(value: Any) -> str:
    """Return the name of a recipe."""
    return read_name(value, "recipe")


def _suggest_name(value: str, noun: str) -> str:
    cleaned = re.sub(r"\W+", "_", value, flags=re.ASCII).strip("_")
    if not cleaned:
        return f"choose a name such as `{'conv_1' if noun == 'layer' else f'{noun}_1'}`"
    return f"write `{cleaned if not cleaned[0].isdigit() else f'{noun}_{cleaned}'}`"
