"""The stage table for other documents: Markdown, CSV and LaTeX, with exact numbers."""

from __future__ import annotations

import csv
import io
import re

from compiler.errors import on_one_line
from compiler.errors.terminal import display_width
from compiler.facts.notation import LATEX, MARKDOWN, Notation
from compiler.facts.summarize import Stage, Summary
from compiler.graph import Dim, show

HEADERS = ("stage", "output", "parameters", "MAC", "bytes", "sees")
FIELDS = ("stride", "offset")
_FIELDS_TOO = ", its shift from unit to unit, and the centre of the first unit's"


def as_csv(summary: Summary, buffers: bool = False, fields: bool = False) -> str:
    """Return a line for each stage and one for the total, below one line of names.

    Numbers are plain integers; a count of an open input is its formula, an unknown one is empty.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = ["stage", "name", "depth", "output", "parameters", "macs", "activation_bytes"]
    names += ["receptive_field", *(f"receptive_field_{key}" for key in FIELDS if fields)]
    writer.writerow([*names, *(["buffers"] if buffers else [])])
    for s in summary.stages:
        place = [on_one_line(s.title), on_one_line(s.name), s.depth, s.output.paper]
        counts = map(_plain, (s.parameters, s.macs, s.activation_bytes))
        seen = [sees(s), *(lies(s) if fields else ())]
        writer.writerow([*place, *counts, *seen, *([_plain(s.buffers)] if buffers else [])])
    counts = map(_plain, (summary.parameters, summary.macs, summary.activation_bytes))
    last = [*(["", ""] if fields else []), *([_plain(summary.buffers)] if buffers else [])]
    writer.writerow(["total", "", "", "", *counts, "", *last])
    return out.getvalue()


def as_markdown(summary: Summary, buffers: bool = False, fields: bool = False) -> str:
    """Return a caption and an aligned table, as GitHub renders it; parts are set in."""
    indent = "&nbsp;&nbsp;"
    cells = _rows(summary, buffers, fields, MARKDOWN)
    for row, stage in zip(cells[1:-1], summary.stages, strict=True):
        row[0] = indent * (stage.depth - 1) + row[0]
    cells[-1] = [cell and f"**{cell}**" for cell in cells[-1]]
    widths = [max(3, *(display_width(row[i]) for row in cells)) for i in range(len(cells[0]))]
    lines = [_aligned(row, widths) for row in cells]
    dashes = ("-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:]))
    rule = "| " + " | ".join(dashes) + " |"
    return "\n".join([_caption(summary, fields, MARKDOWN), "", lines[0], rule, *lines[1:]]) + "\n"


def as_latex(summary: Summary, buffers: bool = False, fields: bool = False) -> str:
    """Return a `table` with rules of the package booktabs; parts are set in by quads."""
    head, *rows, total = _rows(summary, buffers, fields, LATEX)
    for row, stage in zip(rows, summary.stages, strict=True):
        row[0] = r"\quad " * (stage.depth - 1) + row[0]
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{_caption(summary, fields, LATEX)}}}",
        f"  \\label{{tab:{re.sub('[^A-Za-z0-9-]', '-', summary.name)}}}",
        f"  \\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        r"    \toprule",
        _latex_row(head),
        r"    \midrule",
        *map(_latex_row, rows),
        r"    \midrule",
        _latex_row(total),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def sees(stage: Stage) -> str:
    """Return the receptive field: `55x55`, or `all`."""
    field = stage.receptive_field
    return "all" if field is None else f"{field[0]}x{field[1]}"


def lies(stage: Stage) -> tuple[str, str]:
    """Return stride and offset of the receptive field, height x width."""
    return _pair(stage.stride), _pair(stage.offset)


def _pair(pair: tuple[float | None, float | None] | None) -> str:
    """Return two numbers, or one where both are the same."""
    if pair is None:
        return ""
    texts = ["?" if value is None else f"{value:g}" for value in pair]
    return texts[0] if texts[0] == texts[1] else "x".join(texts)


def _caption(summary: Summary, fields: bool, form: Notation) -> str:
    """Return what the table is of, and what its columns count."""
    parts: list[Stage | Summary] = [*summary.stages, summary]
    inputs = ", ".join(f"{form.text(name)} {form.sizes(shape)}" for name, shape in summary.inputs)
    return (
        f"{form.text(on_one_line(summary.title))} for {inputs} (height x width x channels): output "
        "size, learned parameters, multiply-accumulates (MAC) and bytes of activations in float32 "
        f"for one sample, receptive field in pixels{_FIELDS_TOO if fields else ''}"
        f"{form.about(count for part in parts for count in (part.macs, part.activation_bytes))}"
    )


def _rows(summary: Summary, buffers: bool, fields: bool, form: Notation) -> list[list[str]]:
    """Return the cells of the table of text, names and total included."""
    blank = [""] * len(FIELDS)
    table = [[*HEADERS[:3], *(["stats"] if buffers else []), *HEADERS[3:], *FIELDS]]
    rows: list[tuple[str, str, Stage | Summary, list[str]]] = [
        (form.text(on_one_line(s.title)), form.sizes(s.output), s, [sees(s), *lies(s)])
        for s in summary.stages
    ]
    rows.append(("total", "", summary, ["", *blank]))
    for title, output, counted, seen in rows:
        counts = [counted.parameters, *([counted.buffers] if buffers else [])]
        shown = map(form.count, [*counts, counted.macs, counted.activation_bytes])
        table.append([title, output, *shown, *map(form.text, seen)])
    return table if fields else [row[: -len(FIELDS)] for row in table]


def _plain(count: Dim) -> str:
    return "" if count is None else show(count)


def _aligned(row: list[str], widths: list[int]) -> str:
    """Return a row of Markdown, the first cell to the left and the others to the right."""
    space = [" " * (width - display_width(c)) for c, width in zip(row, widths, strict=True)]
    right = [gap + cell for cell, gap in zip(row[1:], space[1:], strict=True)]
    return "| " + " | ".join([row[0] + space[0], *right]) + " |"


def _latex_row(row: list[str]) -> str:
    return "    " + " & ".join(row) + r" \\"
