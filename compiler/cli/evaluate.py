"""`evaluate`: top-1 and top-5 of trained networks, alone or together, by one crop or many."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compiler.cli.options import (
    add_drop_background,
    add_format,
    add_map,
    add_preprocessing,
    add_spec,
    device_of,
    file_path,
    graph_from,
    preprocessing_of,
    whole,
)
from compiler.errors import UsageError, on_one_line
from compiler.errors.terminal import write
from compiler.pipeline import load_graph, target_graph
from compiler.weights.mapping import load_map

if TYPE_CHECKING:
    from backends.train.evaluation import Member
    from backends.train.step import Accuracy

HELP = """Print top-1 and top-5 of a network with its weights on pictures with classes: those of
DIR/val, or of a folder of classes, or of IDX files. Crops are as in the paper's tables: 1 (the
middle), 12, or 144; several networks together are an ensemble. Probabilities are averaged over
crops and networks. Exit codes: 0 fine, 1 the weights do not fit, 2 wrong usage."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    add = parser.add_argument
    add("--data", metavar="DIR", required=True, help="pictures with their classes")
    add(
        "--weights",
        type=file_path,
        metavar="FILE",
        required=True,
        help="safetensors, as `train` and `weights` write them, or a torch checkpoint",
    )
    add_map(parser)
    add_drop_background(parser)
    add_preprocessing(parser)
    add(
        "--with",
        dest="others",
        metavar="SPEC=FILE",
        action="append",
        default=[],
        help="another network of the ensemble, with its weights (repeatable)",
    )
    add("--crops", type=int, choices=(1, 12, 144), default=1, help="of each picture (default: 1)")
    add("--head", metavar="NAME", help="the output with the classes, where there are several")
    add("--batch", type=whole(1), default=64, metavar="N", help="crops at once (default: 64)")
    add("--workers", type=whole(0), default=0, metavar="N", help="processes that read pictures")
    add("--device", default="auto", help="auto (a GPU if there is one), cpu or cuda")
    add_format(parser, "text", "json")


def run(args: argparse.Namespace) -> int:
    """Evaluate and print; 0."""
    graph = target_graph(graph_from(args))
    pairs = [_pair(text) for text in args.others]
    from backends.train.evaluation import evaluate_members, load_member
    from backends.train.pictures import open_pictures

    pictures = open_pictures(args.data)
    device = device_of(args.device)
    members = [
        load_member(
            graph,
            args.weights,
            args.map and load_map(args.map),
            how=preprocessing_of(args),
            output=args.head,
            drop_background=args.drop_background,
            device=device,
        )
    ]
    for spec, file in pairs:
        members.append(load_member(target_graph(load_graph(spec)), file, device=device))
    found = evaluate_members(
        members, pictures, crops=args.crops, batch=args.batch, workers=args.workers
    )
    shown = _as_json if args.format == "json" else _as_text
    write(sys.stdout, shown(members, args, found))
    return 0


def _pair(text: str) -> tuple[str, Path]:
    spec, equals, file = text.partition("=")
    if not equals:
        raise UsageError(f"--with {text}: write SPEC=FILE, a network and its weights")
    return spec, Path(file)


def _as_text(members: list[Member], args: argparse.Namespace, found: Accuracy) -> str:
    lines = [f"{on_one_line(m.graph.title)}  ({m.file})\n  {m.frame.how.words}" for m in members]
    crops = f"{args.crops} crop{'s' * (args.crops > 1)}"
    lines.append(f"{found.pictures:,} pictures, {crops} each")
    lines.append(f"top-1 {100 * found.top1:.2f} %  top-5 {100 * found.top5:.2f} %")
    return "\n".join(lines) + "\n"


def _as_json(members: list[Member], args: argparse.Namespace, found: Accuracy) -> str:
    networks: list[dict[str, Any]] = [
        {"network": m.graph.name, "weights": str(m.file), "preprocessing": m.frame.how.as_data()}
        for m in members
    ]
    data = {
        "networks": networks,
        "crops": args.crops,
        "pictures": found.pictures,
        "top1": found.top1,
        "top5": found.top5,
        "loss": found.loss,
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
