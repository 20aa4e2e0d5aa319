"""The stage table for other documents: Markdown, CSV and LaTeX, with exact numbers."""

from __future__ import annotations

import csv
import io
import re

from compiler.errors import on_one_line
from compiler.errors.terminal import display_width
from compiler.facts.summarize import Stage, Summary
from compiler.graph import Dim, show, show_count

HEADERS = ("stage", "output", "parameters", "MAC", "bytes", "sees")
_MARKDOWN = re.compile(r"[\\`*_\[\]<>|~#$]")
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\u00d7": r"$\times$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def as_csv(summary: Summary, buffers: bool = False) -> str:
    """Return a line for each stage and one for the total, below one line of names.

    Numbers are plain integers; a count of an open input is its formula, an unknown one is empty.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = ["stage", "name", "depth", "output", "parameters", "macs", "activation_bytes"]
    writer.writerow([*names, "receptive_field", *(["buffers"] if buffers else [])])
    for s in summary.stages:
        place = [on_one_line(s.title), on_one_line(s.name), s.depth, s.output.paper]
        counts = map(_plain, (s.parameters, s.macs, s.activation_bytes))
        writer.writerow([*place, *counts, sees(s), *([_plain(s.buffers)] if buffers else [])])
    counts = map(_plain, (summary.parameters, summary.macs, summary.activation_bytes))
    last = [_plain(summary.buffers)] if buffers else []
    writer.writerow(["total", "", "", "", *counts, "", *last])
    return out.getvalue()


def as_markdown(summary: Summary, buffers: bool = False) -> str:
    """Return a caption and an aligned table, as GitHub renders it; parts are set in."""
    indent = "&nbsp;&nbsp;"
    cells = [[_markdown(cell) for cell in row] for row in _rows(summary, buffers)]
    for row, stage in zip(cells[1:-1], summary.stages, strict=True):
        row[0] = indent * (stage.depth - 1) + row[0]
    cells[-1] = [cell and f"**{cell}**" for cell in cells[-1]]
    widths = [max(3, *(display_width(row[i]) for row in cells)) for i in range(len(cells[0]))]
    lines = [_aligned(row, widths) for row in cells]
    dashes = ("-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:]))
    rule = "| " + " | ".join(dashes) + " |"
    return "\n".join([_markdown(caption(summary)), "", lines[0], rule, *lines[1:]]) + "\n"


def as_latex(summary: Summary, buffers: bool = False) -> str:
    """Return a `table` with rules of the package booktabs; parts are set in by quads."""
    head, *rows, total = [[_latex(cell) for cell in row] for row in _rows(summary, buffers)]
    for row, stage in zip(rows, summary.stages, strict=True):
        row[0] = r"\quad " * (stage.depth - 1) + row[0]
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{_latex(caption(summary))}}}",
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


def caption(summary: Summary) -> str:
    """Return what the table is of, and what its columns count."""
    inputs = ", ".join(f"{name} {shape.paper}" for name, shape in summary.inputs)
    return (
        f"{on_one_line(summary.title)} for {inputs} (height x width x channels): output size, "
        "learned parameters, multiply-accumulates (MAC) and bytes of activations in float32 for "
        "one sample, receptive field in pixels"
    )


def sees(stage: Stage) -> str:
    """Return the receptive field: `55x55`, or `all`."""
    field = stage.receptive_field
    return "all" if field is None else f"{field[0]}x{field[1]}"


def _rows(summary: Summary, buffers: bool) -> list[tuple[str, ...]]:
    """Return the table of text, names and total included."""
    rows: list[tuple[tuple[str, ...], Stage | Summary]] = [
        ((on_one_line(s.title), s.output.paper, sees(s)), s) for s in summary.stages
    ]
    table = [(*HEADERS[:3], *(["stats"] if buffers else []), *HEADERS[3:])]
    for (title, output, field), counted in [*rows, (("total", "", ""), summary)]:
        counts = [counted.parameters, *([counted.buffers] if buffers else [])]
        shown = map(show_count, [*counts, counted.macs, counted.activation_bytes])
        table.append((title, output, *shown, field))
    return table


def _plain(count: Dim) -> str:
    return "" if count is None else show(count)


def _aligned(row: list[str], widths: list[int]) -> str:
    """Return a row of Markdown, the first cell to the left and the others to the right."""
    space = [" " * (width - display_width(c)) for c, width in zip(row, widths, strict=True)]
    right = [gap + cell for cell, gap in zip(row[1:], space[1:], strict=True)]
    return "| " + " | ".join([row[0] + space[0], *right]) + " |"


def _markdown(text: str) -> str:
    """Escape what Markdown would obey inside a line."""
    return _MARKDOWN.sub(r"\\\g<0>", text.replace("&", "&amp;"))


def _latex(text: str) -> str:
    """Escape what LaTeX would obey; the x of a size becomes the sign of multiplication."""
    escaped = "".join(_LATEX.get(character, character) for character in text)
    return re.sub(r"(?<=[\dA-Z)])( ?)x(?=\1[\dA-Z(])", r"\1$\\times$", escaped)


def _latex_row(row: list[str]) -> str:
    return "    " + " & ".join(row) + r" \\"
