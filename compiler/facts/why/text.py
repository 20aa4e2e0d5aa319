"""A step and what is behind it, as text of 80 columns and as data."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from compiler.errors import NOWHERE, Span
from compiler.facts.why.step import Step, Term, shown

WIDTH = 80
LEAST = 2
"""Terms of one form that are folded into a line."""
HARD = "\0"
"""A space at which no line ends: `(n, Table 1)` stays whole."""


def as_text(step: Step, depth: int | None = None) -> str:
    """Return a derivation line by line, each term below what it is a term of, with its place.

    What was shown before is not shown again, and of many terms that differ in numbers alone (the
    copies of a layer, sizes each of which is that of the layer before and a little more) the first
    is shown.

    Args:
        step: the value.
        depth: how many levels are shown; None: all.
    """
    return "\n".join([step.what, *_Text(depth).lines(step, "", 0)]) + "\n"


class _Text:
    """Writes one derivation."""

    def __init__(self, depth: int | None) -> None:
        self.depth = depth
        self.before: set[int] = set()
        """What was shown, by identity."""
        self.forms: dict[int, int] = {}
        """A step by its identity, and the number of its form."""
        self.numbers: dict[tuple[object, ...], int] = {}

    def lines(self, step: Step, label: str, level: int) -> Iterator[str]:
        """Yield a step and what is behind it."""
        again = bool(step.terms) and id(step) in self.before
        yield from _line(step, label, level, again=again)
        if again or self.depth == level:
            return
        self.before.add(id(step))
        terms = [t for t in step.terms if t.step.span is not NOWHERE or t.step.terms or t.step.said]
        for _, alike in groupby(terms, lambda term: self.form(term.step)):
            first, *others = alike
            yield from self.term(step, first, level + 1)
            if len(others) < LEAST or not first.step.terms:
                for other in others:
                    yield from self.term(step, other, level + 1)
            else:
                yield f"{'  ' * (level + 1)}{len(others)} more of this form"

    def term(self, step: Step, term: Term, level: int) -> Iterator[str]:
        """Yield a term; of a row of terms of terms that are formed as the step the ends alone."""
        row = [term]
        while _outline(row[-1].step) == _outline(step) and self.depth is None:
            inner = (t for t in row[-1].step.terms if _outline(t.step) == _outline(step))
            following = next(inner, None)
            if following is None:
                break
            row.append(following)
        if len(row) < LEAST + 2 or id(term.step) in self.before:
            yield from self.lines(term.step, term.label, level)
            return
        yield from _line(term.step, term.label, level)
        yield f"{'  ' * (level + 1)}{len(row) - 2} more of this form"
        self.before.update(id(one.step) for one in row[:-1])
        yield from self.lines(row[-1].step, row[-1].label, level + 1)

    def form(self, step: Step) -> int:
        """Return a number that steps share which differ in numbers alone, behind them too."""
        if id(step) not in self.forms:
            inner = tuple(self.form(term.step) for term in step.terms)
            key = (*_outline(step), inner)
            self.forms[id(step)] = self.numbers.setdefault(key, len(self.numbers))
        return self.forms[id(step)]


def _outline(step: Step) -> tuple[str, str, Span]:
    """Return the formula and the words of a step without their numbers, and its place."""
    formula, said = (re.sub(r"\d[\d,.]*", "#", text) for text in (step.formula, step.said))
    return formula, said, step.span


def _line(step: Step, label: str, level: int, *, again: bool = False) -> Iterator[str]:
    """Yield what a step is, in as many lines as it takes."""
    name = shown(step.value) + (f" ({label})" if label else "")
    text = f"{name} = {step.formula}" if step.formula else name
    detail = "as above" if again else ", ".join(filter(None, (step.said, step.cite)))
    place = "" if step.span is NOWHERE or again else str(step.span)
    if not step.formula or again:
        text, detail = f"{text}: {detail}" if detail else text, ""
    yield from _wrapped(text, detail, place, "  " * level)


def _wrapped(text: str, detail: str, place: str, indent: str) -> Iterator[str]:
    """Yield a line, or as many as it takes: the formula, what says it, and the place."""
    rest = "  ".join(filter(None, (detail, place)))
    whole = "  ".join(filter(None, (indent + text, rest)))
    if len(whole) <= WIDTH:
        yield whole
        return
    deeper = indent + "    "
    kept = re.sub(r"(?<=\w) \([^()]*\)", lambda found: found[0].replace(" ", HARD), text)
    lines = textwrap.wrap(
        kept, WIDTH, initial_indent=indent, subsequent_indent=deeper,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    yield from (line.replace(HARD, " ") for line in lines)
    if len(deeper + rest) <= WIDTH:
        yield deeper + rest
    else:
        yield from (deeper + each for each in (detail, place))


def as_data(step: Step, label: str = "", before: dict[int, str] | None = None) -> dict[str, Any]:
    """Return a derivation as JSON-ready data; a term that was there before is named alone."""
    seen = {} if before is None else before
    value = step.value
    is_plain = value is None or isinstance(value, (bool, int, float, str))
    out: dict[str, Any] = {"what": step.what, "value": value if is_plain else shown(value)}
    if label:
        out["label"] = label
    if step.terms and id(step) in seen:
        return out | {"before": True}
    seen[id(step)] = step.what
    for key, text in (("formula", step.formula), ("said", step.said), ("cite", step.cite)):
        if text:
            out[key] = text
    if step.span is not NOWHERE:
        out["place"] = {
            "file": step.span.file, "line": step.span.line, "column": step.span.column,
        }  # fmt: skip
    out["terms"] = [as_data(term.step, term.label, seen) for term in step.terms]
    return out
