"""`predict`: the best classes of pictures, by name, with the metadata of the weights."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from compiler.cli.options import (
    add_drop_background,
    add_format,
    add_map,
    add_names,
    add_preprocessing,
    add_spec,
    device_of,
    file_path,
    graph_from,
    settings_from,
    whole,
)
from compiler.errors import on_one_line
from compiler.errors.terminal import write
from compiler.facts.class_output import class_output, picture_size
from compiler.facts.prediction import ClassScore, Prediction
from compiler.pipeline import Compilation, target_graph
from compiler.weights.mapping import load_map

if TYPE_CHECKING:
    from backends.run.classifier import Classifier

HELP = """Print the best classes of pictures, with probabilities: by name where the weights say the
names, else by number. How a picture becomes the input (size, crop, mean, deviation) is what the
weights file says, or the map of --from; where neither does, it must be said. Exit codes: 0 fine, 1
the weights do not fit, 2 wrong usage."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=file_path, help="pictures")
    parser.add_argument(
        "--weights",
        metavar="FILE",
        type=file_path,
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


def run(args: argparse.Namespace) -> int:
    """Print the best classes of each picture; 0."""
    classifier = _classifier(args)
    for line in classifier.warnings:
        write(sys.stderr, f"{line}\n")
    if args.format == "json":
        rows = [_row(classifier.predict(p, args.top)) for p in args.images]
        data = {**_head(classifier, args), "pictures": rows}
        write(sys.stdout, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        return 0
    write(sys.stdout, _title(classifier, args))
    for path in args.images:
        best = classifier.predict(path, args.top)
        write(sys.stdout, f"\n{on_one_line(best.image)}\n" + "".join(map(_line, best.classes)))
    return 0


def _classifier(args: argparse.Namespace) -> Classifier:
    graph = target_graph(graph_from(args))
    own = Compilation(args.spec, settings_from(args))
    picture_size(graph, declared=lambda: own.graph)  # refuse the network before torch is loaded
    class_output(graph, args.output)
    weights = args.map and load_map(args.map)
    from backends.run.classifier import load_classifier, parse_overrides  # loads torch

    return load_classifier(
        graph,
        args.weights,
        weights,
        parse_overrides(args.output, args.names, args.preprocessing),
        drop_background=args.drop_background,
        device=device_of(args.device),
    )


def _row(prediction: Prediction) -> dict[str, Any]:
    classes = [
        {"class": s.index, "name": s.name, "probability": s.probability, "value": s.value}
        for s in prediction.classes
    ]
    return {"image": prediction.image, "classes": classes}


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


def _line(score: ClassScore) -> str:
    name = "" if score.name is None else f"{on_one_line(score.name)}, "
    return f"  {score.probability:7.2%}  {name}class {score.index}\n"
