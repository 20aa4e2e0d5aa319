"""`weights`: convert published weights to a network's own names, by a map that is data."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compiler.cli.options import (
    add_format,
    add_names,
    add_preprocessing,
    add_spec,
    add_weights,
    file_path,
    graph_from,
)
from compiler.errors import BackendError, UsageError
from compiler.errors.terminal import write
from compiler.facts.available_memory import check_memory, show_bytes
from compiler.facts.class_output import check_names
from compiler.graph import Graph
from compiler.published import fit_published
from compiler.weights.mapping import load_map, map_names
from compiler.weights.misfits import is_counter, layer_of
from compiler.weights.notes import Notes
from compiler.weights.report import WeightsReport
from compiler.weights.sizes import tensor_sizes

if TYPE_CHECKING:
    from torch import Tensor

HELP = """Convert a published checkpoint to a spec's own names: every tensor goes to one place, or
nothing is written; with --partial those that fit are written, and the report says by layer which
do not. With --dry-run nothing is written either way, and FILE is not needed: without it, the names
and shapes are those of the file that --from is for, or of each published file in turn. FILE is
safetensors or a torch checkpoint; code in it is never run. Exit codes: 0 written (--dry-run: it
would be), 1 the file does not fit or holds more than tensors, 2 wrong usage."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        type=file_path,
        help="the published checkpoint (--dry-run works without)",
    )
    add_weights(parser)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="say by layer what loads, moves, is new and is dropped; write nothing",
    )
    add_preprocessing(parser)
    add_names(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE.safetensors",
        type=file_path,
        help="where the weights go (default: build/NAME/NAME.safetensors)",
    )
    parser.add_argument(
        "--tensors", action="store_true", help="list every tensor and layer (JSON always does)"
    )
    add_format(parser, "text", "json")


def run(args: argparse.Namespace) -> int:
    """Convert; 0 when the file is written, or would be, 1 when it does not fit."""
    output = _output(args.output)
    if args.file is None:
        return _run_without_file(args)
    weights = None if args.map is None else load_map(args.map)
    graph = graph_from(args)
    check_memory(graph, copies=2, batch=0, drawn=0)  # the file's and what is written
    from backends.state.fit_weights import fit_weights, notes_of  # loads torch

    report, tensors = fit_weights(
        args.file,
        tensor_sizes(graph),
        weights,
        graph,
        partial=args.partial,
        drop_background=args.drop_background,
    )
    _check_background(args, report)
    if not report.is_accepted:
        return _say_outcome(args, report) if args.dry_run else _refuse(args, report)
    given = {"names": args.names, "preprocessing": args.preprocessing}
    overridden = [key for key, value in given.items() if value is not None]
    notes = _notes(args, graph, notes_of(report, overridden))
    if args.dry_run:
        return _say_outcome(args, report)
    output = output or Path("build") / graph.name / f"{graph.name}.safetensors"
    return _write_weights(args, report, output, tensors, notes)


# -- without writing -------------------------------------------------------------------------------


def _run_without_file(args: argparse.Namespace) -> int:
    """Say what would become of published files, by their maps alone."""
    if not args.dry_run:
        raise UsageError("the weights' FILE is missing; without one, --dry-run says what would fit")
    for option, value in {"--names": args.names, "--preprocessing": args.preprocessing}.items():
        if value is not None:
            raise UsageError(f"{option} goes into a file of weights, and there is no FILE")
    graph = graph_from(args)
    options = {"partial": args.partial, "drop_background": args.drop_background}
    if args.map is not None:
        report = fit_published(load_map(args.map), graph, **options)
        _check_background(args, report)
        return _say_outcome(args, report)
    reports = [fit_published(load_map(name), graph, **options) for name in map_names()]
    return _say_all(args, graph, reports)


def _say_outcome(args: argparse.Namespace, report: WeightsReport) -> int:
    """Print what would become of one file; 0 where it would be written."""
    if args.format == "json":
        _write_json({**report.as_data(), "written": None, "accepted": report.is_accepted})
    else:
        advice = [f"  help: {text}\n" for text in report.advice]
        write(sys.stdout, report.as_text(args.tensors))
        write(sys.stdout, "".join([] if report.is_accepted else advice))
        write(sys.stdout, f"nothing was written: {_outcome(report)}\n")
    return 0 if report.is_accepted else 1


def _outcome(report: WeightsReport) -> str:
    if report.match.is_complete:
        return "the file would load whole"
    if report.match.is_empty:
        return "nothing of the file would load"
    return "the file would load in part" + ("" if report.is_partial else ", with --partial alone")


def _say_all(args: argparse.Namespace, graph: Graph, reports: list[WeightsReport]) -> int:
    """Print which published files fit, those first of which most loads; 0 where one would load."""
    reports = sorted(reports, key=lambda report: -len(report.loaded))
    is_accepted = any(report.is_accepted for report in reports)
    if args.format == "json":
        _write_json({"spec": graph.name, "maps": [report.as_data() for report in reports]})
        return 0 if is_accepted else 1
    write(sys.stdout, "\n".join(_table(reports, args.tensors)) + "\n")
    return 0 if is_accepted else 1


def _table(reports: list[WeightsReport], every: bool) -> list[str]:
    """Return a line for each published file of which a layer beside the classifier fits."""
    shown = [report for report in reports if every or _has_more_than_head(report)]
    if not shown:
        return [f"nothing was written: of the {len(reports)} published files nothing fits"]
    columns = ("loaded", "moved", "differing", "fresh", "dropped")
    width = max(len(_map_name(report)) for report in shown)
    lines = [f"{'published file':{width}}  {'  '.join(columns)}"]
    for report in shown:
        counts: Mapping[str, int] = {**report.counts, "moved": len(report.moved)}
        row = "  ".join(f"{counts[name]:>{len(name)},}" for name in columns)
        lines.append(f"{_map_name(report):{width}}  {row}")
    if len(shown) < len(reports):
        lines.append(f"of {len(reports) - len(shown)} others nothing fits")
    whole = [_map_name(report) for report in shown if report.match.is_complete]
    return [*lines, f"nothing was written: {', '.join(whole) or 'none'} would load whole"]


def _has_more_than_head(report: WeightsReport) -> bool:
    heads = report.weights.heads if report.weights is not None else ()
    return any(layer_of(n) not in heads and not is_counter(n) for n in report.loaded)


def _map_name(report: WeightsReport) -> str:
    assert report.weights is not None
    return report.weights.name


# -- writing ---------------------------------------------------------------------------------------


def _write_weights(
    args: argparse.Namespace,
    report: WeightsReport,
    output: Path,
    tensors: dict[str, Tensor],
    notes: Notes,
) -> int:
    from backends.state.weights_io import save_weights

    path = save_weights(tensors, output, {"spec": report.network, **notes.as_metadata()})
    if args.format == "json":
        _write_json({**report.as_data(), "written": str(path)})
        return 0
    write(sys.stdout, report.as_text(args.tensors))
    write(sys.stdout, f"wrote {path}, {show_bytes(path.stat().st_size)}\n")
    return 0


def _notes(args: argparse.Namespace, graph: Graph, found: Notes) -> Notes:
    """Return the metadata of the map or the file, overridden by the options."""
    from compiler.weights.pictures import preprocessing_from, read_names

    if args.preprocessing is not None:
        found = replace(found, preprocessing=preprocessing_from(args.preprocessing))
    if args.names is not None:
        found = replace(found, names=read_names(args.names))
        check_names(graph, len(found.names), args.names)
    return found


def _output(path: Path | None) -> Path | None:
    if path is not None and path.suffix != ".safetensors":
        raise UsageError(f"-o {path}: weights are written as safetensors, name it so")
    return path


def _check_background(args: argparse.Namespace, report: WeightsReport) -> None:
    is_dropped = any(move.skip for move in report.match.moves)
    if args.drop_background and report.is_accepted and not is_dropped:
        raise UsageError(
            f"--drop-background: {report.file} has no class more than the network; leave it out"
        )


def _refuse(args: argparse.Namespace, report: WeightsReport) -> int:
    if args.format == "json":
        _write_json({**report.as_data(), "written": None})
        return 1
    raise BackendError(report.refusal("written"))


def _write_json(data: dict[str, Any]) -> None:
    write(sys.stdout, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
