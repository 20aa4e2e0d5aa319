"""A step and what is behind it, as text of 80 columns and as data."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Any

from compiler.errors import NOWHERE
from compiler.facts.why.step import Step, shown

WIDTH = 80
HARD = "\0"
"""A space at which no line ends: `(n, Table 1)` stays whole."""


def as_text(step: Step, depth: int | None = None) -> str:
    """Return a derivation line by line, each term below what it is a term of, with its place.

    What was shown before is not shown again.

    Args:
        step: the value.
        depth: how many levels are shown; None: all.
    """
    return "\n".join([step.what, *_lines(step, "", 0, depth, set())]) + "\n"


def _lines(
    step: Step, label: str, level: int, depth: int | None, before: set[int]
) -> Iterator[str]:
    indent = "  " * level
    name = shown(step.value) + (f" ({label})" if label else "")
    again = bool(step.terms) and id(step) in before
    text = f"{name} = {step.formula}" if step.formula else name
    detail = "as above" if again else ", ".join(filter(None, (step.said, step.cite)))
    place = "" if step.span is NOWHERE or again else str(step.span)
    if not step.formula or again:
        text, detail = f"{text}: {detail}" if detail else text, ""
    yield from _wrapped(text, detail, place, indent)
    if again or depth == level:
        return
    before.add(id(step))
    for term in step.terms:
        if term.step.span is not NOWHERE or term.step.terms or term.step.said:
            yield from _lines(term.step, term.label, level + 1, depth, before)


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
