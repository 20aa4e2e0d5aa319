"""`summary`: the stage table of a network, beside what was published about it."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import floor, log10
from pathlib import Path
from typing import Any

from compiler.cli.options import add_spec, file_path, graph_from, whole
from compiler.errors import UsageError, on_one_line, shown
from compiler.errors.terminal import display_width, write
from compiler.facts.summarize import Stage, Summary, summarize
from compiler.facts.summary_tables import as_csv, as_latex, as_markdown, lies, sees
from compiler.files import write_file
from compiler.graph import Dim, Shape, Symbolic, show_count

HELP = """Print the stage table of a network: output size, parameters, multiply-accumulates (MAC;
convolutions and linear layers, one sample; 1 MAC = 2 FLOP), activation memory in float32 with
nothing reused, and the receptive field; then what was published about the network. Parameters are
what is learned: running statistics of batch norms are counted apart, with --buffers."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument(
        "--depth", type=whole(1), default=1, metavar="N", help="open regions N deep (default: 1)"
    )
    parser.add_argument(
        "--buffers",
        action="store_true",
        help="show the running statistics of batch norms too (JSON always does)",
    )
    parser.add_argument(
        "--fields",
        action="store_true",
        help="show of what a unit sees the stride (pixels from one unit's to the "
        "next one's) and the offset (the centre of the first one's, where the first pixel is 0 and "
        "padding lies around the image); JSON always does",
    )
    parser.add_argument(
        "--format",
        choices=tuple(FORMATS),
        help="what to print; markdown, csv and latex have exact numbers, for documents of your own "
        "(default: what -o ends in, else text)",
    )
    parser.add_argument("-o", "--output", metavar="FILE", type=file_path, help="write it to a file")


def run(args: argparse.Namespace) -> int:
    """Print or write the table; 0."""
    form = args.format or _format_of(args.output)
    summary = summarize(graph_from(args), args.depth)
    text = FORMATS[form](summary, args.buffers, args.fields)
    if args.output is None:
        write(sys.stdout, text)
        return 0
    write(sys.stdout, f"wrote {write_file(args.output, text)}\n")
    return 0


def _format_of(path: Path | None) -> str:
    """Return the format that a file's name asks for."""
    if path is None:
        return "text"
    if path.suffix not in SUFFIXES:
        raise UsageError(f"-o {path}: its name ends in none of {', '.join(SUFFIXES)}; say --format")
    return SUFFIXES[path.suffix]


def as_json(summary: Summary) -> dict[str, Any]:
    """Return a summary as JSON-ready data; sizes are channels first, symbolic ones are text."""
    return {
        "name": summary.name,
        "title": summary.title,
        "inputs": {name: _dims(shape) for name, shape in summary.inputs},
        "outputs": {name: _dims(shape) for name, shape in summary.outputs},
        **({"fits": summary.fits} if summary.fits else {}),
        "arguments": dict(summary.arguments),
        **_counts(summary),
        "stages": [_stage(s) for s in summary.stages],
        "claims": [
            {"of": c.of, "value": c.value, "text": c.text, "source": c.source, "erratum": c.erratum}
            for c in summary.claims
        ],
    }


def _stage(stage: Stage) -> dict[str, Any]:
    field = stage.receptive_field
    return {
        "name": stage.name,
        "title": stage.title,
        "op": stage.op,
        "depth": stage.depth,
        "output": _dims(stage.output),
        **_counts(stage),
        "receptive_field": list(field) if field else None,
        "receptive_field_stride": list(stage.stride) if stage.stride else None,
        "receptive_field_offset": list(stage.offset) if stage.offset else None,
    }


def _counts(counted: Stage | Summary) -> dict[str, int | str | None]:
    """Return the counts; one that depends on open sizes is null, with its formula beside it."""
    out: dict[str, int | str | None] = {}
    for key in ("parameters", "buffers", "macs", "activation_bytes"):
        count: Dim = getattr(counted, key)
        out[key] = count if isinstance(count, int) else None
        if isinstance(count, Symbolic):
            out[f"{key}_formula"] = str(count)
    return out


def _dims(shape: Shape) -> list[Dim | str]:
    return [d if d is None or isinstance(d, int) else str(d) for d in shape]


def as_text(summary: Summary, buffers: bool = False, fields: bool = False) -> str:
    """Return a summary as a table of at most 80 columns, then totals and claims."""
    macs, memory = _unit(summary.macs, MACS), _unit(summary.activation_bytes, BYTES)
    headers = ("stage", "output", "parameters", macs.name, memory.name, "sees")
    rows = [_row(s, macs, memory) for s in summary.stages]
    total = (
        "total",
        "",
        show_count(summary.parameters),
        _scaled(summary.macs, macs),
        _memory(summary.activation_bytes, memory),
        "",
    )
    head = f"{on_one_line(summary.title)}  ({summary.name})"
    inputs = ", ".join(f"{name} {shape.paper}" for name, shape in summary.inputs)
    lines = [head, f"input: {inputs} (height x width x channels)"]
    lines += textwrap.wrap(f"sizes that fit: {summary.fits}", 80) if summary.fits else []
    lines += [""]
    table = [headers, *rows, total]
    if buffers:
        counts = [*(s.buffers for s in summary.stages), summary.buffers]
        column = ("stats", *(f"{c:,}" if isinstance(c, int) else "?" for c in counts))
        table = [(*row[:3], cell, *row[3:]) for row, cell in zip(table, column, strict=True)]
    if fields:
        columns = [("stride", "offset"), *map(lies, summary.stages), ("", "")]
        table = [(*row, *cells) for row, cells in zip(table, columns, strict=True)]
    lines += _table(table)
    if buffers:
        lines += ["", "stats: running statistics of batch norms, a mean and a variance a channel"]
    lines += ["", *textwrap.wrap(_arithmetic(summary.macs), 80, break_long_words=False)]
    return "\n".join(lines + _claims(summary))


@dataclass(frozen=True, slots=True)
class DisplayUnit:
    """What a column counts in: it takes part from a total of `least` on."""

    name: str
    size: int
    least: int = 0


MACS = (DisplayUnit("MMAC", 10**6, 10**7), DisplayUnit("kMAC", 10**3, 10**5), DisplayUnit("MAC", 1))
BYTES = (
    DisplayUnit("MiB", 2**20, 2**20),
    DisplayUnit("KiB", 2**10, 10 * 2**10),
    DisplayUnit("bytes", 1),
)
TOTALS = (DisplayUnit("G", 10**9, 10**8), DisplayUnit("M", 10**6, 10**5), DisplayUnit("", 1))


def _unit(total: Dim, units: tuple[DisplayUnit, ...]) -> DisplayUnit:
    """Return the unit for a total; formulas are shown in the smallest."""
    if not isinstance(total, int):
        return units[-1]
    return next(unit for unit in units if total >= unit.least)


def _row(stage: Stage, macs: DisplayUnit, memory: DisplayUnit) -> tuple[str, ...]:
    title = "  " * (stage.depth - 1) + on_one_line(stage.title)
    if len(title) > 28:
        title = title[:25] + "..."
    return (
        title,
        stage.output.paper,
        show_count(stage.parameters),
        _scaled(stage.macs, macs),
        _memory(stage.activation_bytes, memory),
        sees(stage),
    )


def _scaled(count: Dim, unit: DisplayUnit) -> str:
    """Return multiply-accumulates in a unit, with the digits that keep a few from looking 0."""
    if unit.size == 1 or not isinstance(count, int):
        return show_count(count)
    value = count / unit.size
    if value >= 100:
        return f"{value:,.0f}"
    digits = 1 if value == 0 or value >= 0.05 else -floor(log10(value))
    return f"{value:.{digits}f}"


def _memory(count: Dim, unit: DisplayUnit) -> str:
    """Return memory in a unit, with one digit: it is there to be added up."""
    if unit.size == 1 or not isinstance(count, int):
        return show_count(count)
    return f"{count / unit.size:,.1f}"


def _arithmetic(macs: Dim) -> str:
    """Return the sentence about the multiply-accumulates of the whole network."""
    if macs is None:
        return "? MAC for one sample: a size is unknown"
    if isinstance(macs, Symbolic):
        text = str(macs)
        if len(text) > 160:
            more = "the whole formula is in `--format json`"
            return f"about {macs.growth} MAC for one sample; {more}"
        return f"{text} MAC for one sample (1 MAC = 2 FLOP)"
    unit = _unit(macs, TOTALS)
    digits = 3 if unit.name else 0
    one, two = (f"{n / unit.size:,.{digits}f}" for n in (macs, 2 * macs))
    return f"{one} {unit.name}MAC = {two} {unit.name}FLOP for one sample"


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(display_width(r[i]) for r in rows) for i in range(len(rows[0]))]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [_cells(row, widths) for row in rows]
    return [lines[0], rule, *lines[1:-1], rule, lines[-1]]


def _cells(row: tuple[str, ...], widths: list[int]) -> str:
    first = row[0] + " " * (widths[0] - display_width(row[0]))
    return "  ".join(
        [first, *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
    ).rstrip()


def _claims(summary: Summary) -> list[str]:
    if not summary.claims:
        return []
    lines = ["", "published:"]
    for claim in summary.claims:
        if claim.of == "text" or claim.value is None:
            text_of_claim = claim.text
        else:
            computed = summary.parameters if claim.of == "parameters" else summary.macs
            state = "equal" if computed == claim.value else _share(computed, claim.value)
            text_of_claim = f"{claim.value:,} {'MAC' if claim.of == 'macs' else claim.of} ({state})"
            text_of_claim += f": {claim.text}" if claim.text else ""
        note = f" [erratum {claim.erratum}]" if claim.erratum else ""
        lines += textwrap.wrap(
            shown(f"{text_of_claim}, {claim.source}{note}"),
            80,
            initial_indent="  - ",
            subsequent_indent="    ",
        )
    return lines


def _share(computed: Dim, value: int) -> str:
    if not isinstance(computed, int):
        return "what is computed depends on the input's size"
    return f"computed is {computed / value:.1%} of it"


def _json(summary: Summary, buffers: bool, fields: bool) -> str:
    return json.dumps(as_json(summary), indent=2, ensure_ascii=False) + "\n"


FORMATS: Mapping[str, Callable[[Summary, bool, bool], str]] = {
    "text": lambda summary, buffers, fields: as_text(summary, buffers, fields) + "\n",
    "json": _json,
    "markdown": as_markdown,
    "csv": as_csv,
    "latex": as_latex,
}
SUFFIXES = {".txt": "text", ".json": "json", ".md": "markdown", ".csv": "csv", ".tex": "latex"}
