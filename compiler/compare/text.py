"""A comparison as text of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from compiler.compare.change import CATEGORIES, Change, Comparison, Row, StageRow, Total
from compiler.graph import show_count

WIDTH = 80
SIGNS = {"added": "+", "removed": "-", "changed": "~", "renamed": ">"}
MOST = 12
"""Tensors that are listed; the rest are counted, and JSON has all."""
NAMES = {"macs": "MACs"}
BREAKS = {
    "weights": "weights: files of weights no longer load whole",
    "interface": "interface: code that calls the network",
    "numerics": "numerics: other numbers come out",
    "drawing": "drawing: figures alone",
}


def as_text(found: Comparison) -> str:
    """Return a comparison: the gravest changes first, then totals, stages and tensors."""
    lines = [f"{found.before} -> {found.after}"]
    if not found.changes:
        return "\n".join([*lines, "no difference"]) + "\n"
    for category in reversed(CATEGORIES):
        changes = [change for change in found.changes if change.category == category]
        if changes:
            lines += ["", BREAKS[category]]
            lines += [line for change in changes for line in change_lines(change)]
    lines += ["", *_totals(found.totals), *_stages(found.stages), *_tensors(found)]
    if found.resized:
        name, before, after = found.resized[0]
        who = f"{name} computes the same and gives another size"
        if len(found.resized) > 1:
            count = f"{len(found.resized):,} layers compute the same and give another size"
            who = f"{count}, the first is {name}"
        lines += ["", *textwrap.wrap(f"{who}: {before.paper} -> {after.paper}", WIDTH)]
    return "\n".join(lines) + "\n"


def change_lines(change: Change) -> list[str]:
    """Return the lines of a change: what, where, and what it was."""
    name = f"{change.was} -> {change.name}" if change.was else change.name
    counts = [f"{change.copies} copies"] if change.copies > 1 else []
    if change.layers > 1:
        counts.append(f"{change.layers} layers" + (" each" if change.copies > 1 else ""))
    rest = ", ".join(filter(None, (change.words, *counts)))
    out = textwrap.wrap(
        f"  {SIGNS[change.kind]} {name}" + (f": {rest}" if rest else ""), WIDTH,
        subsequent_indent=" " * 6, break_long_words=False,
    )  # fmt: skip
    for detail in change.details:
        out += textwrap.wrap(
            str(detail), WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 8,
            break_long_words=False,
        )  # fmt: skip
    costs = [
        f"{NAMES.get(what, what)} {more:+,}"
        for what, more in (("parameters", change.parameters), ("macs", change.macs))
        if more
    ]
    return [*out, " " * 6 + ", ".join(costs)] if costs else out


def _totals(totals: tuple[Total, ...]) -> Iterator[str]:
    rows = [(NAMES.get(t.what, t.what), show_count(t.before), show_count(t.after), more(t))
            for t in totals if t.before != t.after]  # fmt: skip
    if rows:
        yield from _table(("", "before", "after", ""), rows)
    else:
        yield "parameters, MACs and operations are as many as before"


def more(total: Total) -> str:
    """Return by how much a total is more, `+1,024`; nothing where it is a formula."""
    return "" if total.more is None else f"{total.more:+,}"


def _stages(rows: tuple[StageRow, ...]) -> Iterator[str]:
    if not rows:
        return
    yield ""
    cells = []
    for row in rows:
        before, after = stage_cells(row.before), stage_cells(row.after)
        pairs = zip(before, after, strict=True)
        cells.append((row.name, *(a if a == b else f"{a} -> {b}" for a, b in pairs)))
    yield from _table(("stage", "output", "parameters", "sees"), cells)


def stage_cells(row: Row | None) -> tuple[str, str, str]:
    """Return output size, parameters and receptive field of a stage as text."""
    if row is None:
        return "none", "none", "none"
    output, parameters, _, sees = row
    field = (
        "all" if sees is None else f"{sees[0]}x{sees[1]}" if sees[0] != sees[1] else str(sees[0])
    )
    return output.paper, show_count(parameters), field


def _table(headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in (headers, *rows)) for i in range(len(headers))]
    if sum(widths) + 2 * len(widths) > WIDTH:  # the pairs of a row below one another
        for row in rows:
            yield row[0]
            yield from (f"    {h}: {cell}" for h, cell in zip(headers[1:], row[1:], strict=True))
        return
    for row in (headers, *rows):
        cells = (cell.ljust(w) if not i else cell.rjust(w) for i, (cell, w) in
                 enumerate(zip(row, widths, strict=True)))  # fmt: skip
        yield "  ".join(cells).rstrip()


def _tensors(found: Comparison) -> Iterator[str]:
    tensors = found.tensors
    yield ""
    if not tensors.lost and not tensors.fresh:
        yield f"weights: all {tensors.total:,} tensors load"
        return
    yield (
        f"weights: of {tensors.total:,} tensors {tensors.lost:,} no longer load, "
        f"{len(tensors.fresh):,} are new"
    )
    lines = [f"  {name}  {_dims(a)} -> {_dims(b)}" for name, (a, b) in tensors.reshaped.items()]
    lines += [f"  {name}  {_dims(shape)} -> none" for name, shape in tensors.gone.items()]
    yield from lines[:MOST]
    if len(lines) > MOST:
        yield f"  and {len(lines) - MOST:,} more; --format json lists all"


def _dims(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "()"
