"""Findings of a variant that stand in files of its base: where the variant causes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from compiler.errors import MORE, Diagnostic, Remark, Report, Span
from compiler.text import Entry, Mapping, Sequence

CAUSES = {
    "input": "the variant's input",
    "params": "the variant's parameters",
    "defaults": "the variant's defaults",
    "changes": "what the variant changes",
    "outputs": "the variant's outputs",
    "blocks": "the variant's blocks",
    "extends": "the base is extended here",
}
"""Key of a variant -> what to say at it, the likeliest cause first."""


def point_at_changes(
    report: Report, variant: Mapping, files: Collection[str], own: Iterable[Diagnostic]
) -> None:
    """Name the place in a variant that causes each finding in a file of its base.

    What is about a layer or a value that the variant changes stands at the change; all else has a
    remark at the key that is the likeliest cause. What the base alone has too stays as it is.

    Args:
        report: has the findings, and where changes were made.
        variant: as it is written.
        files: those that the base is read from.
        own: what is found in the base alone.
    """
    known = {
        (each.code, span): each.span
        for each in own
        for span in (each.span, *(remark.span for remark in each.remarks))
    }
    for at, found in enumerate(report.diagnostics):
        if found.span.file not in files or found.code in MORE.values():
            continue
        before = known.get((found.code, found.span))
        if before is None:
            report.diagnostics[at] = _with_cause(found, report, variant)
        elif before.file != found.span.file:  # its base is a variant too
            report.diagnostics[at] = _moved(found, before)


def _with_cause(found: Diagnostic, report: Report, variant: Mapping) -> Diagnostic:
    """Return a finding with the place in the variant that causes it."""
    file = variant.span.file
    for span in (found.span, *(remark.span for remark in found.remarks)):
        change = _change_of(span, report, file)
        if change is not None:
            return _moved(found, change)
    if any(remark.span.file == file for remark in found.remarks):
        return found
    key, entry = next((k, variant.entries[k]) for k in CAUSES if k in variant.entries)
    remark = Remark(_place(key, entry), CAUSES[key])
    return replace(found, remarks=(remark, *found.remarks))


def _moved(found: Diagnostic, change: Span) -> Diagnostic:
    """Return a finding at a change; where it stood is a remark."""
    before = Remark(found.span, found.label or "it is about this")
    others = (remark for remark in found.remarks if remark.span != change)
    return replace(found, span=change, label="changed here", remarks=(before, *others))


def _change_of(span: Span, report: Report, file: str) -> Span | None:
    """Return the change in a file of the smallest thing around a place, the last one of several."""
    around = [(old, new) for old, new in report.changed if new.file == file and _holds(old, span)]
    if not around:
        return None
    return min(reversed(around), key=lambda pair: _extent(pair[0]))[1]


def _holds(outer: Span, inner: Span) -> bool:
    start, end = (outer.line, outer.column), (outer.end_line, outer.end_column)
    return outer.file == inner.file and start <= (inner.line, inner.column) < end


def _extent(span: Span) -> tuple[int, int]:
    return span.end_line - span.line, span.end_column - span.column


def _place(key: str, entry: Entry) -> Span:
    """Return the place to point at: a change that is the only one, else the key."""
    node = entry.node
    if key == "changes" and isinstance(node, Sequence) and len(node.items) == 1:
        return node.items[0].span
    return entry.node.span if key == "extends" else entry.key_span
