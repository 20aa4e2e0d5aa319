"""Findings of a variant that stand in files of its base: where the variant causes them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

from compiler.errors import MORE, Diagnostic, Remark, Report, Span
from compiler.text import Entry, Mapping, Node, Sequence

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


MOST_TRIED = 6
"""Values of a spec that are left out, one by one, to see whether they are the cause."""
Left = Callable[[Span], Collection[tuple[str, Span]]]
"""Code and place of what is found where the value at a place is left out."""


def point_at_changes(
    report: Report,
    variant: Mapping,
    files: Collection[str],
    own: Iterable[Diagnostic],
    left: Left,
) -> None:
    """Name the place in a variant that causes each finding in a file of its base.

    What is about a layer or a value that the variant changes stands at the change; all else has a
    remark at the value without which it is not found, or at the key that is the likeliest cause.
    What the base alone has too stays as it is.

    Args:
        report: has the findings, and where changes were made.
        variant: as it is written.
        files: those that the base is read from.
        own: what is found in the base alone.
        left: tells what is found without a value of the variant.
    """
    known = {
        (each.code, span): each.span
        for each in own
        for span in (each.span, *(remark.span for remark in each.remarks))
    }
    before_all = _places(report)
    for at, found in enumerate(report.diagnostics):
        if found.span.file not in files or found.code in MORE.values():
            continue
        before = known.get((found.code, found.span))
        if before is None:
            report.diagnostics[at] = _with_cause(found, report, variant, left, before_all)
        elif before.file != found.span.file:  # its base is a variant too
            report.diagnostics[at] = _moved(found, before)


def point_at_block_changes(report: Report, left: Left) -> None:
    """Let what a library changes of a block of another file be found at that change.

    Args:
        report: has the findings, and where changes were made.
        left: tells what is found without a change.
    """
    before = _places(report)
    for at, found in enumerate(report.diagnostics):
        spans = (found.span, *(remark.span for remark in found.remarks))
        around = [
            (old, new)
            for old, new in report.changed
            if new.file != found.span.file and any(_holds(old, span) for span in spans)
        ]
        if not around or found.code in MORE.values():
            continue
        change = min(reversed(around), key=lambda pair: _extent(pair[0]))[1]
        if _is_cause(found, left(change), before):
            report.diagnostics[at] = _moved(found, change)


def _places(report: Report) -> frozenset[tuple[str, Span]]:
    return frozenset((found.code, found.span) for found in report.diagnostics)


def _is_cause(
    found: Diagnostic, left: Collection[tuple[str, Span]], before: Collection[tuple[str, Span]]
) -> bool:
    """True where a finding is not among those that are left, and no new one is."""
    return (found.code, found.span) not in left and all(each in before for each in left)


def _with_cause(
    found: Diagnostic,
    report: Report,
    variant: Mapping,
    left: Left,
    before: Collection[tuple[str, Span]],
) -> Diagnostic:
    """Return a finding with the place in the variant that causes it."""
    file = variant.span.file
    for span in (found.span, *(remark.span for remark in found.remarks)):
        change = _change_of(span, report, file)
        if change is not None:
            return _moved(found, change)
    if any(remark.span.file == file for remark in found.remarks):
        return found
    remark = _cause(found, variant, left, before)
    if remark is None:
        key, entry = next((k, variant.entries[k]) for k in CAUSES if k in variant.entries)
        remark = Remark(_place(key, entry), CAUSES[key])
    return replace(found, remarks=(remark, *found.remarks))


def _cause(
    found: Diagnostic, variant: Mapping, left: Left, before: Collection[tuple[str, Span]]
) -> Remark | None:
    """Return the value of a variant without which there is no such finding; None if none is."""
    values = [
        (span, Remark(place, CAUSES[key]))
        for key in CAUSES
        if key in variant.entries
        for span, place in _values(key, variant.entries[key].node)
    ]
    if len(values) == 1:
        return values[0][1]
    if len(values) > MOST_TRIED:
        return None
    return next((r for span, r in values if _is_cause(found, left(span), before)), None)


def _values(key: str, node: Node) -> Iterator[tuple[Span, Span]]:
    """Yield the places at which the values under a key are left out, and shown."""
    if key == "changes" and isinstance(node, Sequence):
        yield from ((item.span, item.span) for item in node.items)
    elif key == "blocks" and isinstance(node, Mapping):
        yield from ((entry.key_span, entry.key_span) for entry in node.entries.values())
    elif key in ("input", "params", "defaults") and isinstance(node, Mapping):
        for entry in node.entries.values():
            if key == "defaults" and isinstance(entry.node, Mapping):
                yield from ((e.key_span, e.node.span) for e in entry.node.entries.values())
            else:
                yield entry.key_span, entry.node.span


def without(node: Mapping, span: Span) -> Mapping:
    """Return a file's mapping without the entry or the item at a place."""
    entries = node.entries.items()
    left = {k: replace(e, node=_without(e.node, span)) for k, e in entries if e.key_span != span}
    return replace(node, entries=left)


def _without(node: Node, span: Span) -> Node:
    if isinstance(node, Sequence):
        kept = (_without(item, span) for item in node.items if item.span != span)
        return replace(node, items=tuple(kept))
    return without(node, span) if isinstance(node, Mapping) else node


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
