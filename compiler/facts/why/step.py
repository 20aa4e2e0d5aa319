"""A number with its formula, the place that says so, and the terms of the formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from compiler.errors import NOWHERE, Span
from compiler.graph import Symbolic
from compiler.text import Value, show_value

Known = Value | Symbolic | float
"""A number, a formula in an open size, or a word; None where an error made it unknown."""


@dataclass(frozen=True, slots=True)
class Term:
    """A step as a formula speaks of it: `384 (n, Table 1)`."""

    label: str
    step: Step


@dataclass(frozen=True, slots=True)
class Step:
    """A value and how it comes about; `print` shows what `why` shows.

    `what` names it (`filters of a.0.single.conv_1x1`); `formula` is what it comes of, in numbers,
    where that is more than a name; `said` is what the place says, in words.
    """

    what: str
    value: Known
    formula: str = ""
    said: str = ""
    cite: str = ""
    span: Span = NOWHERE
    terms: tuple[Term, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON-ready data; a term that was there before is named alone."""
        from compiler.facts.why.text import as_data

        return as_data(self)

    def __str__(self) -> str:
        from compiler.facts.why.text import as_text

        return as_text(self).rstrip("\n")


def shown(value: Known) -> str:
    """Return a value as text; thousands have commas from 10,000 on."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Symbolic)):
        return show_value(value)
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return str(value) if isinstance(value, Symbolic) else f"{value:g}"
