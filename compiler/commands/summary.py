"""`summary`: the stage table of a network, beside what was published about it."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from compiler.commands.options import add_format, add_spec, graph_from
from compiler.shapes import Dim, Shape
from compiler.summarize import Stage, Summary, summarize
from compiler.terminal import display_width, write

HELP = """Print the stage table of a network: output size, parameters, multiply-accumulates (MAC;
convolutions and linear layers, one sample; 1 MAC = 2 FLOP), activation memory in float32 with
nothing reused, and the receptive field; then what was published about the network."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument(
        "--depth", type=int, default=1, metavar="N", help="open regions N deep (default: 1)"
    )
    add_format(parser, "text", "json")


def run(args: argparse.Namespace) -> int:
    """Print the table; 0."""
    summary = summarize(graph_from(args), max(1, args.depth))
    text = (
        json.dumps(as_json(summary), indent=2, ensure_ascii=False)
        if args.format == "json"
        else as_text(summary)
    )
    write(sys.stdout, text + "\n")
    return 0


def as_json(summary: Summary) -> dict[str, Any]:
    """Return a summary as JSON-ready data; sizes are channels first, symbolic ones are text."""
    return {
        "name": summary.name,
        "title": summary.title,
        "inputs": {name: _dims(shape) for name, shape in summary.inputs},
        "outputs": {name: _dims(shape) for name, shape in summary.outputs},
        "arguments": dict(summary.arguments),
        "parameters": summary.parameters,
        "macs": summary.macs,
        "activation_bytes": summary.activation_bytes,
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
        "parameters": stage.parameters,
        "macs": stage.macs,
        "activation_bytes": stage.activation_bytes,
        "receptive_field": list(field) if field else None,
    }


def _dims(shape: Shape) -> list[Dim | str]:
    return [d if d is None or isinstance(d, int) else str(d) for d in shape]


HEADERS = ("stage", "output", "parameters", "MMAC", "MiB", "sees")


def as_text(summary: Summary) -> str:
    """Return a summary as a table of at most 80 columns, then totals and claims."""
    rows = [_row(s) for s in summary.stages]
    total = (
        "total",
        "",
        f"{summary.parameters:,}",
        _millions(summary.macs),
        f"{summary.activation_bytes / 2**20:.1f}",
        "",
    )
    head = f"{summary.title}  ({summary.name})"
    inputs = ", ".join(f"{name} {shape.paper}" for name, shape in summary.inputs)
    lines = [head, f"input: {inputs} (height x width x channels)", ""]
    lines += _table([HEADERS, *rows, total])
    lines += [
        "",
        f"{summary.macs / 1e9:.3f} GMAC = {2 * summary.macs / 1e9:.3f} GFLOP for one sample",
    ]
    return "\n".join(lines + _claims(summary))


def _row(stage: Stage) -> tuple[str, ...]:
    title = "  " * (stage.depth - 1) + stage.title
    if len(title) > 28:
        title = title[:25] + "..."
    field = stage.receptive_field
    return (
        title,
        stage.output.paper,
        f"{stage.parameters:,}",
        _millions(stage.macs),
        f"{stage.activation_bytes / 2**20:.1f}",
        ("all" if field is None else f"{field[0]}x{field[1]}"),
    )


def _millions(macs: int) -> str:
    return f"{macs / 1e6:,.1f}" if macs < 1e8 else f"{macs / 1e6:,.0f}"


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
    import textwrap

    lines = ["", "published:"]
    for claim in summary.claims:
        if claim.of == "text" or claim.value is None:
            said = claim.text
        else:
            computed = summary.parameters if claim.of == "parameters" else summary.macs
            share = computed / claim.value
            state = "equal" if computed == claim.value else f"computed is {share:.1%} of it"
            said = f"{claim.value:,} {'MAC' if claim.of == 'macs' else claim.of} ({state})"
            said += f": {claim.text}" if claim.text else ""
        note = f" [erratum {claim.erratum}]" if claim.erratum else ""
        lines += textwrap.wrap(
            f"{said}, {claim.source}{note}", 80, initial_indent="  - ", subsequent_indent="    "
        )
    return lines
