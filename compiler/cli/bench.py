"""`bench`: time a network beside its peers in one run, and against the machine's limits."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from compiler.cli.options import (
    DTYPES,
    add_format,
    add_spec,
    device_of,
    file_path,
    graph_from,
    known,
    whole,
    wholes,
)
from compiler.errors import UsageError
from compiler.errors.terminal import write
from compiler.facts.available_memory import check_memory
from compiler.files import check_folder, write_file
from compiler.pipeline import target_graph

HELP = """Time a network beside its peers in one run: netdraft's targets, the published
implementation (timm, facenet-pytorch; else the spec's own module) in eager mode, channels last
and compiled, ONNX Runtime and OpenVINO where they are installed. Everything is interleaved; the
table shows medians, ratios to the fastest peer, errors against float64 and the machine's limits."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    add = parser.add_argument
    add(
        "--batch",
        type=_batches,
        default=(1,),
        metavar="N,...",
        help="of inference; none: no inference (default: 1)",
    )
    add(
        "--dtype",
        type=known(DTYPES),
        default=("float32", "bfloat16"),
        metavar="NAME,...",
        help=f"of {', '.join(DTYPES)} (default: float32,bfloat16)",
    )
    add("--targets", default="", metavar="NAME,...", help="netdraft's targets (default: all)")
    add(
        "--rounds",
        type=whole(1),
        default=9,
        metavar="N",
        help="runs of each (default: %(default)s)",
    )
    add("--training", type=whole(0), default=0, metavar="N", help="a training step too, batch N")
    add("--compile-training", action="store_true", help="with --training: torch.compile too")
    add("--profile", action="store_true", help="where the native engine's time goes, too")
    add("--memory", action="store_true", help="peak memory too, in processes of their own")
    add("--device", default="cpu", help="cpu, cuda, cuda:1 (default: %(default)s)")
    add("-o", "--output", type=file_path, metavar="DIR", help="write bench.json and bench.svg")
    add_format(parser, "text", "json")


def run(args: argparse.Namespace) -> int:
    """Measure and print; 0."""
    from backends.bench.report import as_svg, as_text
    from backends.bench.run import Plan, run_plan

    plan = Plan(
        args.batch,
        args.dtype,
        _targets(args.targets) if args.targets else (),
        args.rounds,
        device_of(args.device),
        args.training,
        args.compile_training,
        args.profile,
    )
    graph = target_graph(graph_from(args))
    check_memory(
        graph, copies=8, batch=max(*plan.batches, 4, plan.training)
    )  # one for each subject
    if args.output:
        check_folder(args.output)
    result = run_plan(graph, plan, lambda text: write(sys.stderr, text + "\n"))
    if args.memory:
        result["memory"] = _memory(args, result)
    if args.output:
        write_file(args.output / "bench.json", json.dumps(result, indent=1) + "\n")
        write_file(args.output / "bench.svg", as_svg(result))
    write(sys.stdout, json.dumps(result, indent=1) if args.format == "json" else as_text(result))
    return 0


def _memory(args: argparse.Namespace, result: dict[str, Any]) -> list[dict[str, Any]]:
    from backends.bench.memory import measure_memory

    rows, device = [], device_of(args.device)
    for table in result["tables"]:
        if table["task"] != "inference":
            continue
        for row in table["rows"]:
            place = row["side"], row["subject"], table["dtype"], table["batch"]
            peak = measure_memory(args.spec, *place, device, args.settings)
            names = ("side", "subject", "dtype", "batch")
            rows.append({**dict(zip(names, place, strict=True)), "peak": peak})
    return rows


def _batches(text: str) -> tuple[int, ...]:
    return () if text == "none" else wholes(text)


def _targets(text: str) -> tuple[str, ...]:
    from backends.run.targets import TARGETS  # loads torch

    try:
        return known(TARGETS)(text)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"--targets {error}") from None
