"""The words of the language that formulas may compare and choose: `activation == relu`."""

from __future__ import annotations

from collections.abc import Mapping

from compiler.ops.activation import ACTIVATION_WORDS
from compiler.ops.norm import NORM_WORDS
from compiler.text import HALF, PADDINGS, LookUp, Value

WORD_VALUES: Mapping[str, str] = {
    **PADDINGS,
    **{word: word for word in (HALF, *ACTIVATION_WORDS, *NORM_WORDS)},
}
"""Word of the language -> its value in a formula, where no parameter has the name."""


def with_words(lookup: LookUp) -> LookUp:
    """Return a lookup that knows the words of the language beside the names that it has."""

    def look_up(name: str) -> Value:
        try:
            return lookup(name)
        except KeyError:
            if name not in WORD_VALUES:
                raise
            return WORD_VALUES[name]

    return look_up
