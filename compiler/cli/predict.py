"""`predict`: the best classes of pictures, by name, with what travels with the weights."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compiler.cli.options import (
    add_drop_background,
    add_format,
    add_map,
    add_names,
    add_preprocessing,
    add_spec,
    device_of,
    graph_from,
    whole,
)
from compiler.errors import BackendError, UsageError, on_one_line
from compiler.errors.terminal import write
from compiler.facts.class_output import ClassOutput, check_doubt, class_output, picture_size
from compiler.facts.room import check_room
from compiler.graph import Graph
from compiler.pipeline import target_graph
from compiler.weights.mapping import Preprocessing, load_map
from compiler.weights.notes import Notes

if TYPE_CHECKING:
    from torch import nn

HELP = """Print the best classes of pictures, with probabilities: by name where the weights say the
names, else by number. How a picture becomes the input (size, crop, mean, deviation) is what the
weights file says, or the map of --from; where neither does, it must be said. Exit codes: 0 fine, 1
the weights do not fit, 2 wrong usage."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path, help="pictures")
    parser.add_argument(
        "--weights",
        metavar="FILE",
        type=Path,
        required=True,
        help="safetensors, as `weights` writes them, or a torch checkpoint",
    )
    add_map(parser)
    add_drop_background(parser)
    add_preprocessing(parser)
    add_names(parser)
    parser.add_argument(
        "--output", metavar="NAME", help="the output with the classes, where there are several"
    )
    parser.add_argument(
        "--top", type=whole(1), default=5, metavar="N", help="how many classes (default: 5)"
    )
    parser.add_argument(
        "--device", default="auto", help="auto (a GPU if there is one), cpu or cuda"
    )
    add_format(parser, "text", "json")


@dataclass(frozen=True, slots=True)
class Classifier:
    """A network with weights, and all that is needed to name a picture's class."""

    graph: Graph
    module: nn.Module
    output: ClassOutput
    notes: Notes
    device: str
    top: int

    @property
    def preprocessing(self) -> Preprocessing:
        """How a picture becomes the input; it is there, `_classifier` saw to it."""
        assert self.notes.preprocessing is not None
        return self.notes.preprocessing


def run(args: argparse.Namespace) -> int:
    """Print the best classes of each picture; 0."""
    classifier = _classifier(args)
    if args.format == "json":
        rows = [{"image": str(p), "classes": _best(classifier, p)} for p in args.images]
        data = {**_head(classifier, args), "pictures": rows}
        write(sys.stdout, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        return 0
    write(sys.stdout, _title(classifier, args))
    for path in args.images:
        best = _best(classifier, path)
        write(sys.stdout, f"\n{on_one_line(str(path))}\n" + "".join(map(_line, best)))
    return 0


def _classifier(args: argparse.Namespace) -> Classifier:
    graph = target_graph(graph_from(args))
    picture_size(graph)
    output = class_output(graph, args.output)
    weights = args.map and load_map(args.map)
    check_room(graph, copies=2)  # the module's and the file's
    from backends.state.fit_weights import load_weights, notes_of  # loads torch
    from backends.torch.module import build_module

    device = device_of(args.device)
    module = build_module(graph, seed=None)
    # In part, so that what does not fit is told here: half a network predicts nothing, and advice
    # to load it so would lead nowhere.
    report = load_weights(
        module,
        args.weights,
        weights,
        graph=graph,
        partial=True,
        drop_background=args.drop_background,
    )
    if not report.match.is_complete:
        raise BackendError(report.refusal("predicted"))
    for line in report.warnings:
        write(sys.stderr, f"{line}\n")
    notes = _notes(args, notes_of(report), output)
    return Classifier(graph, module.to(device).eval(), output, notes, device, args.top)


def _notes(args: argparse.Namespace, found: Notes, output: ClassOutput) -> Notes:
    """Return what the options and the file say, complete and fitting, or refuse."""
    from compiler.weights.pictures import needed, preprocessing_from, read_names

    names = found.names if args.names is None else read_names(args.names)
    if names and len(names) != output.classes:
        text = (
            f"{args.names or args.weights} names {len(names):,} classes, and the output "
            f"`{output.name}` has {output.classes:,}"
        )
        raise BackendError(text) if args.names is None else UsageError(text)
    check_doubt(output, bool(names))
    how = found.preprocessing
    if args.preprocessing is not None:
        how = preprocessing_from(args.preprocessing)
    lack = (
        f"{args.weights} does not say how a picture becomes the input, and a guess would give "
        "wrong classes"
    )
    return Notes(found.map, found.source, needed(how, lack), names)


def _best(classifier: Classifier, path: Path) -> list[dict[str, Any]]:
    """Return the best classes of a picture, the best one first."""
    from backends.run.predict import probabilities
    from backends.state.photo import load_photo

    height, width = picture_size(classifier.graph)
    picture = load_photo(path, height, width, classifier.preprocessing).to(classifier.device)
    values, shares = probabilities(classifier.module, picture, classifier.output)
    count = min(classifier.top, classifier.output.classes)
    names = classifier.notes.names
    return [
        {
            "class": int(index),
            "name": names[int(index)] if names else None,
            "probability": float(shares[index]),
            "value": float(values[index]),
        }
        for index in shares.topk(count).indices
    ]


def _head(classifier: Classifier, args: argparse.Namespace) -> dict[str, Any]:
    """Return what the numbers come from, as data."""
    output = classifier.output
    return {
        "network": classifier.graph.name,
        "weights": str(args.weights),
        "map": classifier.notes.map or None,
        "preprocessing": classifier.preprocessing.as_data(),
        "output": {"name": output.name, "classes": output.classes, "values": output.numbers},
    }


def _title(classifier: Classifier, args: argparse.Namespace) -> str:
    graph, notes, output = classifier.graph, classifier.notes, classifier.output
    source = f", {on_one_line(notes.map)}" if notes.map else ""
    kind = "; each by itself" if output.numbers == "independent" else ""
    named = "" if notes.names else ", without names"
    size = "x".join(map(str, picture_size(graph)))
    lines = [
        f"{on_one_line(graph.title)}  ({args.weights}{source})",
        f"input: {size}, {classifier.preprocessing.words}",
        f"classes: {output.classes:,}{named}{kind}",
    ]
    return "\n".join(lines) + "\n"


def _line(row: dict[str, Any]) -> str:
    name = "" if row["name"] is None else f"{on_one_line(row['name'])}, "
    return f"  {row['probability']:7.2%}  {name}class {row['class']}\n"
