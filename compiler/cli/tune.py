"""`tune`: measure every way to run a network here, and keep the fastest."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from compiler.cli.options import (
    DTYPES,
    add_format,
    add_spec,
    device_of,
    graph_from,
    known,
    whole,
    wholes,
)
from compiler.errors.terminal import write
from compiler.facts.available_memory import check_memory
from compiler.facts.working_sizes import shapes_near
from compiler.graph import Graph
from compiler.pipeline import target_graph

if TYPE_CHECKING:
    from backends.run.optimized import InferenceModule
    from backends.run.tune import Tuned

HELP = """Measure every way to run a network here, and keep the fastest: from then on
`optimize(module).for_inference()` takes it for this network, device, dtype and input shape without
measuring anything. Its first call measures too, but for seconds only, and so leaves out what takes
long to build."""

_OPEN_SIZE = (224, 224)
"""Height and width of an input that leaves them open, or the next that fit."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    add = parser.add_argument
    add("--batch", type=wholes, default=(1,), metavar="N,...", help="batches (default: 1)")
    add(
        "--dtype",
        type=known(DTYPES),
        default=("float32",),
        metavar="NAME,...",
        help=f"of {', '.join(DTYPES)} (default: float32)",
    )
    add("--rounds", type=whole(1), default=9, metavar="N", help="runs of each (default: 9)")
    add("--device", default="cpu", help="cpu, cuda, cuda:1 (default: %(default)s)")
    add_format(parser, "text", "json")


def run(args: argparse.Namespace) -> int:
    """Measure, keep and print; 0."""
    from backends.run.optimized import optimize
    from backends.state.unit_scale import randomize
    from backends.torch.module import build_module

    device = device_of(args.device)
    graph = target_graph(graph_from(args))
    check_memory(graph, copies=8, batch=max(4, *args.batch))  # one for each target
    module = build_module(graph)
    randomize(module, 0, *_images(graph, 4))  # which would else die on the way, and zeros are fast
    own = optimize(module)
    rows = []
    for dtype in args.dtype:
        fast = own.for_inference(device, _precision(dtype))
        for batch in args.batch:
            tuned = fast.tune(*_images(graph, batch), rounds=args.rounds)
            rows.append(_row(graph, fast, dtype, batch, tuned))
    text = json.dumps(rows, indent=1) + "\n" if args.format == "json" else as_text(rows)
    write(sys.stdout, text)
    return 0


def _images(graph: Graph, batch: int) -> tuple[Any, ...]:
    import torch

    generator = torch.Generator().manual_seed(1)
    shapes = next(shapes_near(graph, _OPEN_SIZE)).values()
    return tuple(torch.randn(batch, *shape.numbers, generator=generator) for shape in shapes)


def _precision(dtype: str) -> Any:
    import torch

    return dtype if dtype == "tf32" else getattr(torch, dtype)


def _row(
    graph: Graph, fast: InferenceModule, dtype: str, batch: int, tuned: Tuned
) -> dict[str, Any]:
    import torch

    from backends.run.tune import device_name

    shapes = next(shapes_near(graph, _OPEN_SIZE))
    return {
        "network": graph.name,
        "device": device_name(fast.device),
        "torch": torch.__version__,
        "dtype": dtype,
        "inputs": {name: [batch, *shape.numbers] for name, shape in shapes.items()},
        "target": tuned.target,
        "milliseconds": dict(sorted(tuned.milliseconds.items(), key=lambda item: item[1])),
        "refused": dict(tuned.refused),
        "kept": str(fast.lock.path) if fast.lock.path else None,
    }


def as_text(rows: list[dict[str, Any]]) -> str:
    """Return the tables for a terminal of 80 columns."""
    parts = ["\n".join(_table(row)) for row in rows]
    kept = rows[-1]["kept"]
    parts.append(f"kept in {kept}" if kept else "not kept: there is no home folder")
    return "\n\n".join(parts) + "\n"


def _table(row: Mapping[str, Any]) -> Iterator[str]:
    sizes = ", ".join("x".join(map(str, shape)) for shape in row["inputs"].values())
    yield f"{row['network']}, {row['dtype']}, {sizes}"
    yield f"{row['device']}, torch {row['torch']}"
    best = row["milliseconds"][row["target"]]
    yield f"  {'target':20}{'median ms':>12}{'of the fastest':>16}"
    for name, ms in row["milliseconds"].items():
        yield f"{'>' if name == row['target'] else ' '} {name:20}{ms:12.2f}{ms / best:16.2f}"
    for name, why in row["refused"].items():
        yield f"  {name}: {why}"[:80]
