"""A comparison as Markdown, for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.compare.change import CATEGORIES, Change, Comparison
from compiler.compare.text import BREAKS, NAMES, SIGNS, more, stage_cells
from compiler.graph import show_count


def as_markdown(found: Comparison) -> str:
    """Return a comparison: a heading, a list for each category, tables of totals and stages."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Comparison) -> Iterator[str]:
    yield f"### `{found.before}` → `{found.after}`"
    yield ""
    if not found.changes:
        yield "No difference."
        return
    lost, total = found.tensors.lost, found.tensors.total
    load = (
        f"{lost:,} of {total:,} tensors no longer load" if lost else f"all {total:,} tensors load"
    )
    yield f"**{found.worst}**: {len(found.changes)} changes; {load}."
    for category in reversed(CATEGORIES):
        changes = [change for change in found.changes if change.category == category]
        if changes:
            yield from ("", f"**{BREAKS[category]}**", "")
            yield from map(_item, changes)
    yield from _totals(found)
    yield from _stages(found)


def _item(change: Change) -> str:
    name = f"`{change.was}` → `{change.name}`" if change.was else f"`{change.name}`"
    copies = f" ({change.copies} copies)" if change.copies > 1 else ""
    words = f" {_plain(change.words)}" if change.words else ""
    details = "; ".join(
        f"{d.what} `{d.before or 'none'}` → `{d.after or 'none'}`" for d in change.details
    )
    costs = ", ".join(
        f"{what} {count:+,}"
        for what, count in (("parameters", change.parameters), ("MACs", change.macs))
        if count
    )
    rest = "".join(f": {text}" for text in (details,) if text) + (f" ({costs})" if costs else "")
    return f"- `{SIGNS[change.kind]}` {name}{words}{copies}{rest}"


def _totals(found: Comparison) -> Iterator[str]:
    rows = [t for t in found.totals if t.before != t.after]
    if rows:
        yield from ("", "| | before | after | |", "|---|---:|---:|---:|")
        for t in rows:
            name = NAMES.get(t.what, t.what)
            yield f"| {name} | {show_count(t.before)} | {show_count(t.after)} | {more(t)} |"


def _stages(found: Comparison) -> Iterator[str]:
    if found.stages:
        yield from ("", "| stage | output | parameters | sees |", "|---|---|---|---|")
    for row in found.stages:
        pairs = zip(stage_cells(row.before), stage_cells(row.after), strict=True)
        cells = (a if a == b else f"{a} → {b}" for a, b in pairs)
        yield f"| `{row.name}` | {' | '.join(cells)} |"


def _plain(words: str) -> str:
    """Return words as Markdown shows them: a `+` at the start of a line is no list."""
    return words.replace("|", "\\|").replace("*", "\\*")
