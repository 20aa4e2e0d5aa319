"""`weights`: convert published weights to a network's own names, by a map that is data."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from compiler.commands.options import add_format, add_spec, graph_from, settings_from
from compiler.errors import BackendError, CompileError, UsageError
from compiler.graph import Graph
from compiler.terminal import write
from compiler.weights.mapping import WeightMap, load_map, map_names
from compiler.weights.match import Match, match_tensors
from compiler.weights.report import as_data, as_text, refusal
from compiler.weights.sizes import tensor_sizes
from compiler.weights.wiring import wiring_differences

HELP = """Convert a published checkpoint to a spec's own names: every tensor goes to one place, or
nothing is written. FILE is safetensors or a torch checkpoint; code in it is never run. Exit
codes: 0 written, 1 the file does not fit or holds more than tensors, 2 wrong usage."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument("file", metavar="FILE", type=Path, help="the published checkpoint")
    parser.add_argument(
        "--from",
        dest="map",
        metavar="MAP",
        required=True,
        help=f"whose names it has: {', '.join(map_names())}",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE.safetensors",
        type=Path,
        help="where the weights go (default: build/NAME/NAME.safetensors)",
    )
    parser.add_argument(
        "--drop-background",
        action="store_true",
        help="drop the first of 1001 classes, TensorFlow's background",
    )
    parser.add_argument(
        "--tensors", action="store_true", help="list every tensor (JSON always does)"
    )
    add_format(parser, "text", "json")


def run(args: argparse.Namespace) -> int:
    """Convert; 0 when the file is written, 1 when it does not fit."""
    weights = load_map(args.map)
    output = _output(args.output)
    graph = graph_from(args)
    from backends import weights_io  # loads torch

    state = weights_io.read_weights(args.file)
    found = weights_io.sizes_of(state)
    match = match_tensors(weights, tensor_sizes(graph), found, args.drop_background)
    _check_background(args, match)
    if not match.is_complete:
        return _refuse(args, graph, weights, match)
    moved = weights_io.move_tensors(match, state)
    wiring = _wiring(graph, weights, args)
    path = weights_io.save_weights(
        moved,
        output or Path("build") / graph.name / f"{graph.name}.safetensors",
        {"spec": graph.name, "map": weights.name, "source": weights.source},
    )
    if args.format == "json":
        data = {**as_data(graph, weights, match, wiring), "written": str(path)}
        write(sys.stdout, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        return 0
    size = path.stat().st_size / 1e6
    write(sys.stdout, as_text(graph, weights, match, wiring, args.tensors))
    write(sys.stdout, f"wrote {path}, {size:.1f} MB\n")
    return 0


def _output(path: Path | None) -> Path | None:
    if path is not None and path.suffix != ".safetensors":
        raise UsageError(f"-o {path}: weights are written as safetensors, name it so")
    return path


def _check_background(args: argparse.Namespace, match: Match) -> None:
    is_dropped = any(move.skip for move in match.moves)
    if args.drop_background and match.is_complete and not is_dropped:
        raise UsageError(
            f"--drop-background: {args.file} has no class more than the network; leave it out"
        )


def _refuse(args: argparse.Namespace, graph: Graph, weights: WeightMap, match: Match) -> int:
    if args.format == "json":
        data = {**as_data(graph, weights, match, ()), "written": None}
        write(sys.stdout, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        return 1
    raise BackendError(refusal(graph, weights, match, str(args.file)))


def _wiring(graph: Graph, weights: WeightMap, args: argparse.Namespace) -> tuple[str, ...]:
    """Return where the network is not wired as the one that the map is for.

    With the same settings where that network has them; where it cannot be built with them,
    there is nothing to compare with.
    """
    from compiler.build import load_graph

    known = {param.name for param in load_graph(weights.spec).params}
    settings = {name: text for name, text in settings_from(args).items() if name in known}
    try:
        return wiring_differences(graph, load_graph(weights.spec, settings))
    except (CompileError, UsageError):
        return ()
