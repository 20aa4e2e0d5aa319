"""`weights`: convert published weights to a network's own names, by a map that is data."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from compiler.facts.available_memory import check_memory
from compiler.facts.class_output import check_names
from compiler.graph import Graph
from compiler.weights.mapping import load_map
from compiler.weights.notes import Notes
from compiler.weights.report import WeightsReport
from compiler.weights.sizes import tensor_sizes

HELP = """Convert a published checkpoint to a spec's own names: every tensor goes to one place, or
nothing is written; with --partial those that fit are written, and the report says by layer which
do not. FILE is safetensors or a torch checkpoint; code in it is never run. Exit codes: 0 written,
1 the file does not fit or holds more than tensors, 2 wrong usage."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument("file", metavar="FILE", type=file_path, help="the published checkpoint")
    add_weights(parser)
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
    """Convert; 0 when the file is written, 1 when it does not fit."""
    weights = None if args.map is None else load_map(args.map)
    output = _output(args.output)
    graph = graph_from(args)
    check_memory(graph, copies=2, batch=0, drawn=0)  # the file's and what is written
    from backends.state.fit_weights import fit_weights, notes_of  # loads torch
    from backends.state.weights_io import save_weights

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
        return _refuse(args, report)
    given = {"names": args.names, "preprocessing": args.preprocessing}
    overridden = [key for key, value in given.items() if value is not None]
    notes = _notes(args, graph, notes_of(report, overridden))
    path = save_weights(
        tensors,
        output or Path("build") / graph.name / f"{graph.name}.safetensors",
        {"spec": graph.name, **notes.as_metadata()},
    )
    if args.format == "json":
        _write_json({**report.as_data(), "written": str(path)})
        return 0
    size = path.stat().st_size / 1e6
    write(sys.stdout, report.as_text(args.tensors))
    write(sys.stdout, f"wrote {path}, {size:.1f} MB\n")
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
            f"--drop-background: {args.file} has no class more than the network; leave it out"
        )


def _refuse(args: argparse.Namespace, report: WeightsReport) -> int:
    if args.format == "json":
        _write_json({**report.as_data(), "written": None})
        return 1
    raise BackendError(report.refusal("written"))


def _write_json(data: dict[str, Any]) -> None:
    write(sys.stdout, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
