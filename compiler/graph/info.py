"""What a spec says besides the computation: citations, errata, labels, where values come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from compiler.errors import NOWHERE, Span
from compiler.text import Expr, Value
from compiler.text import Mapping as YamlMapping


@dataclass(frozen=True, slots=True)
class Cite:
    """Where in the paper (or in which code) a thing is printed."""

    figure: int | None = None
    table: int | None = None
    section: str | None = None
    code: str | None = None

    def __str__(self) -> str:
        parts = [
            f"Figure {self.figure}" if self.figure is not None else "",
            f"Table {self.table}" if self.table is not None else "",
            f"section {self.section}" if self.section else "",
            self.code or "",
        ]
        return ", ".join(p for p in parts if p)


@dataclass(frozen=True, slots=True)
class Erratum:
    """One recorded difference between what is printed and what is built."""

    id: str
    where: str
    printed: str
    built: str
    why: str
    sources: tuple[str, ...] = ()
    severity: Literal["unbuildable", "differs", "wording"] = "differs"
    span: Span = NOWHERE
    explains: tuple[str, ...] | None = None
    """Kinds of deviation from a figure that it can explain (`label`, `box`, `hidden`, `arrow`,
    `order`, `size`); None: any."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """How a block or network is drawn: words and sizes that are no part of the computation."""

    input: str | None = None
    """Words in the box that the data comes from (`Filter concat`, `Previous Layer`)."""
    sizes: Literal["none", "trunk", "output"] = "none"
    """Print sizes beside no box, beside boxes outside branches, or as `Output: 35x35x384`."""


@dataclass(frozen=True, slots=True)
class Info:
    """What the spec has of a layer besides its computation."""

    span: Span = NOWHERE
    title: str | None = None
    label: str | None = None
    """The words in its box, where they are not the ones made from the operation."""
    cite: Cite | None = None
    errata: tuple[Erratum, ...] = ()
    drawn: bool = True
    """False: no box of its own; it belongs to the box of the layer that reads it."""
    size: str | None = None
    """The output size that is printed beside it, height x width x channels."""
    doc: str = ""
    when: str = ""
    """The condition under which it is there, as the spec writes it."""
    repeat: str = ""
    """The formula for its number of copies; empty where the spec has a number."""
    written: YamlMapping | None = field(default=None, compare=False, repr=False)
    """The YAML that it was read from, for the places of plain values; None where there is none."""


NO_INFO = Info()
NO_DRAWING = Drawing()


@dataclass(frozen=True, slots=True)
class Decision:
    """What lowering decided by a formula that no attribute remembers: a `when`, a count, a word.

    The graph is right for other values of the parameters only where the formula comes to `value`.
    """

    formula: Expr
    value: Value


@dataclass(frozen=True, slots=True)
class Traced:
    """Where a value comes from, when the spec does not write it as a plain number or word."""

    text: str = ""
    """What the spec writes, where that depends on names; `2 * 3` does not."""
    formula: Expr | None = None
    """The formula of the whole value; a pair of formulas has none."""
    span: Span = NOWHERE


Traces = Mapping[str, Traced]
"""Attribute of an operation, key of a layer or parameter of a block -> where it comes from."""


def formulas_of(traces: Traces) -> dict[str, Expr]:
    """Return attribute -> formula, of those that have one."""
    return {name: t.formula for name, t in traces.items() if t.formula is not None}
