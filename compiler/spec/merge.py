"""Mappings of a variant over those of its base, with notes of where each value comes from."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from compiler.errors import Diagnostic, Remark, Report, guessing
from compiler.text import Entry, Mapping, Node, Scalar, Sequence

N = TypeVar("N", Scalar, Mapping, Sequence, Node)
RELEASED = ("size", "claims", "title", "doc")
"""What a variant does without anyhow, so that to take it away is no mistake."""


def noted(node: N, note: str) -> N:
    """Return a value with a note for `--emit spec`."""
    return replace(node, notes=(*node.notes, note))


def is_null(node: Node) -> bool:
    """True for a value that is written as nothing, or as `null`."""
    return isinstance(node, Scalar) and node.value is None and not node.quoted


def place_of(entry: Entry) -> str:
    """Return where a key stands, for a note."""
    return f"{entry.key_span.file}:{entry.key_span.line}"


def merged(below: Node, above: Node, report: Report, whose: str = "") -> Node:
    """Merge mappings key by key; `null` takes a key away, all else replaces what is below."""
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return noted(above, f"{above.span.file}:{above.span.line}")
    entries, notes = dict(below.entries), list(below.notes)
    for key, entry in above.entries.items():
        old = entries.get(key)
        if is_null(entry.node):
            if note := take_away(key, whose, entry, old, report, below):
                del entries[key]
                notes.append(f"{place_of(entry)} {note}")
        elif old is not None:
            report.changed.append((old.node.span, entry.key_span))
            entries[key] = Entry(entry.key_span, merged(old.node, entry.node, report, f"`{key}`"))
        else:
            entries[key] = Entry(entry.key_span, noted(entry.node, place_of(entry)))
    return replace(below, entries=entries, span=above.span, notes=tuple(notes))


def take_away(
    key: str,
    whose: str,
    entry: Entry,
    old: Entry | None,
    report: Report,
    below: Mapping | None = None,
) -> str:
    """Return what to note of a key that is taken away; report a key that is not there."""
    if old is None and key not in RELEASED:
        known = list(below.entries) if below is not None else []
        message = f"{whose or 'the base'} has no `{key}` that could be taken away"
        help = "`null` takes an inherited key away; give it a value, or take the line out"
        found = Diagnostic("bad-change", message, entry.key_span, help=help)
        report.add(found, guessing(key, known))
        return ""
    if old is None:
        return ""
    note = f"{place_of(entry)} takes `{key}` away"
    report.removed[key] = Remark(entry.key_span, note)
    return f"takes `{key}` away"
