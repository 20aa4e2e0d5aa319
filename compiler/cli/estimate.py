"""`estimate`: memory, arithmetic and bytes over the wire of a training step, without taking one."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from compiler.cli.options import add_format, add_spec, graph_from, whole
from compiler.errors import UsageError, on_one_line
from compiler.errors.terminal import write
from compiler.facts.available_memory import show_bytes
from compiler.facts.class_output import class_output, picture_size
from compiler.pipeline import target_graph
from compiler.recipe import load_recipe

if TYPE_CHECKING:
    from backends.train.estimate import Estimate

HELP = """Print what one training step takes of each process: what is kept for gradients,
parameters, the optimiser's state, the most that is allocated at once, arithmetic, and bytes sent to
others. Nothing is computed: torch runs the step on tensors without numbers. It needs torch alone.
Exit codes: 0 fine, 1 the spec is at fault, 2 wrong usage."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    add = parser.add_argument
    add("--batch", type=whole(1), required=True, metavar="N", help="pictures of all GPUs together")
    add("--gpus", type=whole(1), default=1, metavar="M", help="that share the batch (default: 1)")
    add("--recipe", default="paper", metavar="R", help="whose optimiser it is (default: paper)")
    add(
        "--precision",
        choices=("32", "tf32", "bf16", "fp16"),
        default="32",
        help="of arithmetic (default: 32)",
    )
    add(
        "--forget",
        action="store_true",
        help="compute activations of blocks twice (activation checkpointing)",
    )
    add("--sharded", action="store_true", help="split the network over the GPUs (FSDP2)")
    add("--head", metavar="NAME", help="the output with the classes, where there are several")
    add_format(parser, "text", "json")


def run(args: argparse.Namespace) -> int:
    """Estimate and print; 0."""
    if args.batch % args.gpus:
        raise UsageError(f"--batch {args.batch} cannot be shared out over {args.gpus} GPUs")
    recipe = load_recipe(args.recipe)
    graph = target_graph(graph_from(args))
    picture_size(graph)
    from backends.train.estimate import estimate  # loads torch
    from backends.train.heads import OPTION, heads_of

    classes = class_output(graph, args.head, option=OPTION).classes
    heads = heads_of(graph, recipe, args.head, classes)
    found = estimate(
        graph,
        recipe,
        heads,
        batch=args.batch // args.gpus,
        processes=args.gpus,
        precision=args.precision,
        forget=args.forget,
        sharded=args.sharded,
    )
    if args.format == "json":
        write(sys.stdout, json.dumps({"network": graph.name, **asdict(found)}, indent=2) + "\n")
    else:
        write(sys.stdout, _as_text(on_one_line(graph.title), args, found))
    return 0


def _as_text(title: str, args: argparse.Namespace, found: Estimate) -> str:
    of = f" on each of {args.gpus} GPUs" * (args.gpus > 1)
    rows = [
        ("kept for gradients", show_bytes(found.activations)),
        ("parameters", show_bytes(found.parameters)),
        ("gradients", show_bytes(found.gradients)),
        ("optimiser's state", show_bytes(found.optimizer)),
        ("running average", show_bytes(found.average)),
        ("running statistics", show_bytes(found.statistics)),
        ("most at once", "not known" if found.peak is None else show_bytes(found.peak)),
        ("arithmetic", f"{found.flops / 1e12:.3g} TFLOP"),
        ("sent to others", show_bytes(found.sent)),
    ]
    how = f"{found.batch} pictures{of}, precision {args.precision}, recipe {args.recipe}"
    head = f"{title}: one step, {how}\n"
    return head + "".join(f"  {what:<20}{value:>14}\n" for what, value in rows)
