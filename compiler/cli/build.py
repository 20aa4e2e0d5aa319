"""`build`: check, build the module, run it once, write the artefacts, print the stage table."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compiler.cli.artefacts import Built, weights_file, write_artefacts
from compiler.cli.options import (
    add_format,
    add_preprocessing,
    add_probabilities,
    add_spec,
    add_weights,
    check_weights,
    device_of,
    graph_from,
    listed,
    preprocessing_of,
    whole,
)
from compiler.cli.summary import as_json as summary_json
from compiler.cli.summary import as_text as summary_text
from compiler.errors import BackendError, UsageError, on_one_line
from compiler.errors.terminal import write
from compiler.facts.features import Feature, feature_graph, features_of
from compiler.facts.room import check_room, show_bytes
from compiler.facts.summarize import summarize
from compiler.facts.working import open_sizes, shapes_near
from compiler.files import check_folder
from compiler.graph import Graph, Shape
from compiler.graph.print import print_graph
from compiler.passes.leaving import tapped
from compiler.pipeline import target_graph
from compiler.weights.mapping import Preprocessing, load_map
from compiler.weights.report import WeightsReport

if TYPE_CHECKING:
    from torch import Tensor, nn

HELP = """Compile a spec: check it, build the module on the GPU if there is one, run one forward on
a photograph, write the artefacts to build/NAME/ and print the stage table. Files are written
whole or not at all."""

TARGETS = {"torch": 1, "source": 1, "onnx": 5, "export": 2}
"""What can be made, and how often the parameters are in memory while it is."""
OPEN_SIZE = (224, 224)
"""Height and width of the forward where they are left open, or the next that fit."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=Path,
        help="folder for the files (default: build/NAME)",
    )
    parser.add_argument(
        "--target",
        type=listed,
        default=("torch", "source"),
        metavar="LIST",
        help=f"what to make, of {','.join(TARGETS)} (default: torch,source)",
    )
    parser.add_argument(
        "--optimize", action="store_true", help="run the optimiser's passes first (inference only)"
    )
    parser.add_argument(
        "--device", default="auto", help="auto (a GPU if there is one), cpu or cuda"
    )
    parser.add_argument(
        "--weights", metavar="FILE", type=Path, help="safetensors (or a torch checkpoint) to load"
    )
    add_weights(parser)
    parser.add_argument(
        "--save-weights", action="store_true", help="write the module's weights as safetensors"
    )
    parser.add_argument(
        "--seed",
        type=whole(0, 2**64 - 1),
        default=0,
        metavar="N",
        help="of the initial weights (default: 0)",
    )
    parser.add_argument("--image", metavar="FILE", type=Path, help="a photograph for the forward")
    parser.add_argument(
        "--taps",
        type=listed,
        default=(),
        metavar="LIST",
        help="layers or blocks that become outputs too",
    )
    parser.add_argument(
        "--features",
        type=listed,
        default=(),
        metavar="LIST",
        help="maps that leave in place of the outputs: layers or blocks, or `auto`, the last "
        "before each change of stride",
    )
    add_probabilities(parser)
    add_preprocessing(parser)
    parser.add_argument(
        "--normalize",
        action="store_true",
        help="put mean and deviation into the network: it takes RGB values from 0 to 1",
    )
    parser.add_argument(
        "--emit", choices=("graph", "shapes", "optimized"), help="print this stage and stop"
    )
    parser.add_argument(
        "--print-after-each", action="store_true", help="print the graph after every pass"
    )
    add_format(parser, "text", "json")


def run(args: argparse.Namespace) -> int:
    """Build a spec; 0."""
    targets = args.target
    _check_targets(targets)
    check_weights(args)
    graph = graph_from(args)
    taps, features = args.taps, _features(graph, args)
    tapped(graph, taps)  # what cannot be tapped is refused before anything else
    if args.emit in ("graph", "shapes"):
        write(sys.stdout, print_graph(graph, shapes=args.emit == "shapes"))
        return 0
    network = target_graph(graph, probabilities=args.probabilities, taps=taps)
    how = preprocessing_of(args)
    if args.normalize:
        graph, network, how = _normalize(graph, network, how)
    if features:
        network = feature_graph(graph, features)
    optimizes = args.optimize or args.emit == "optimized"
    optimized = _optimize(network, args) if optimizes else network
    if args.emit == "optimized":
        write(sys.stdout, print_graph(optimized))
        return 0
    say = _speaker(args.format == "text")
    folder = args.output or Path("build") / graph.name
    check_folder(folder)
    converted = 2 if args.optimize or args.save_weights else 1
    check_room(network, max(converted, *(TARGETS[target] for target in targets)))
    say(f"{on_one_line(graph.title)}: checked, {len(graph.nodes)} operations")
    say("loading torch ...")
    _import_what_is_needed(targets, args)
    device = device_of(args.device)
    built = _build(graph, network, optimized, args, say)
    forward = _forward(built, device, args.image, how)
    told = network if features else graph
    weights = weights_file(built, preprocessing_of(args)) if args.save_weights else {}
    files = write_artefacts(built, folder, targets, told, weights)
    _announce(network, features, args, say)  # once nothing can be refused
    _report(told, files, features, forward, args.format)
    return 0


def _import_what_is_needed(targets: tuple[str, ...], args: argparse.Namespace) -> None:
    """Import what the end of a build needs, so that nothing is written where it is missing."""
    import backends.state.photo
    import backends.torch.module

    if args.save_weights or args.weights is not None:
        import backends.state.weights_io
    if "onnx" in targets:
        import backends.onnx.files  # noqa: F401


def _normalize(
    graph: Graph, network: Graph, how: Preprocessing | None
) -> tuple[Graph, Graph, Preprocessing]:
    """Return both graphs with mean and deviation inside, and what is left to do to a picture."""
    from compiler.weights.pictures import needed
    from compiler.weights.standardize import standardize_input, with_plain_range

    found = needed(how, "--normalize needs mean and deviation, and nothing says them")
    inside = standardize_input(graph, found), standardize_input(network, found)
    return *inside, with_plain_range(found)


def _announce(
    network: Graph,
    features: tuple[Feature, ...],
    args: argparse.Namespace,
    say: Callable[[str], None],
) -> None:
    """Say what leaves and what enters, where that is not what the spec has."""
    if network.returns == "logits":
        say("the logits leave, not the softmax of them (--probabilities keeps it)")
    for feature in features:
        what = f"{feature.num_chs} channels, stride {feature.reduction}"
        say(f"feature: {feature.module}, {what}")
    if sizes := open_sizes(network):
        say(f"sizes that fit: {sizes}")
    if args.normalize:
        say("the network takes RGB values from 0 to 1; mean and deviation are inside")


def _speaker(is_text: bool) -> Callable[[str], None]:
    def say(text: str) -> None:
        if is_text:
            write(sys.stdout, text + "\n")

    return say


def _check_targets(names: tuple[str, ...]) -> None:
    for name in names:
        if name not in TARGETS:
            raise UsageError(f"unknown target: {name} (must be one of {', '.join(TARGETS)})")


def _features(graph: Graph, args: argparse.Namespace) -> tuple[Feature, ...]:
    names = args.features
    if names and (args.taps or args.probabilities):
        raise UsageError("--features gives maps alone: leave out --taps and --probabilities")
    return features_of(graph, () if names == ("auto",) else names) if names else ()


def _optimize(graph: Graph, args: argparse.Namespace) -> Graph:
    from compiler.passes.optimizer import optimize_graph

    def show(name: str, after: Graph) -> None:
        if args.print_after_each:
            write(sys.stdout, f"after {name}:\n{print_graph(after)}\n")

    return optimize_graph(graph, after_each=show, taps=args.taps)


def _build(
    checked: Graph,
    graph: Graph,
    optimized: Graph,
    args: argparse.Namespace,
    say: Callable[[str], None],
) -> Built:
    """Build the module, load weights, and convert them where the graph was optimised."""
    from backends.torch.module import build_module

    taps = args.taps
    seed = args.seed if args.weights is None else None
    module = build_module(graph, seed=seed, taps=taps)
    report = None
    if args.weights is not None:
        say(f"weights: {args.weights}")
        report = _load_weights(checked, graph, module, args)
        say(report.as_text().rstrip())
    state = dict(module.state_dict())
    plain = graph, state
    if optimized is not graph:
        from backends.state.parameters import convert_state

        state = convert_state(optimized, state)
        module = build_module(optimized, seed=None, taps=taps)
        _load_converted(module, state)
        say(f"optimised: {len(graph.nodes)} operations became {len(optimized.nodes)}")
    return Built(plain, optimized, module, state, taps, say, report)


def _load_weights(
    checked: Graph, graph: Graph, module: nn.Module, args: argparse.Namespace
) -> WeightsReport:
    if args.features:  # the file is of the whole network
        from backends.torch.features import take_state
        from backends.torch.module import build_module

        whole = build_module(checked, seed=None)
        report = _load_file(checked, whole, args)
        take_state(module, whole)
        return report
    return _load_file(graph, module, args)


def _load_file(graph: Graph, module: nn.Module, args: argparse.Namespace) -> WeightsReport:
    from backends.state.fit_weights import load_weights
    from backends.torch.init import initialize

    report = load_weights(
        module,
        args.weights,
        args.map and load_map(args.map),
        graph=graph.as_written,
        partial=args.partial,
        drop_background=args.drop_background,
    )
    initialize(module, args.seed, report.loaded)
    return report


def _load_converted(module: nn.Module, state: dict[str, Tensor]) -> None:
    """Load what a graph's derivations made; they make no counts of batches."""
    result = module.load_state_dict(state, strict=False)
    missing = [n for n in result.missing_keys if not n.endswith(".num_batches_tracked")]
    strange = [*missing, *result.unexpected_keys]
    if strange:  # a fault of ours, and no reason to go on with random numbers
        raise RuntimeError(f"the optimised module does not have the optimised names: {strange[:3]}")


def _forward(
    built: Built, device: str, image: Path | None, how: Preprocessing | None
) -> dict[str, Any]:
    """Run the module once in eval mode and return what came of it."""
    import torch

    shapes = next(shapes_near(built.graph, OPEN_SIZE))
    inputs = tuple(_sample(name, shape, image, how).to(device) for name, shape in shapes.items())
    module = built.module.to(device).eval()
    with torch.inference_mode():
        start = time.perf_counter()
        out = module(*inputs)
        milliseconds = (time.perf_counter() - start) * 1000
    outputs = list(_tensors(out))
    logits = outputs[0].float().cpu()
    if not bool(torch.isfinite(logits).all()):
        raise BackendError("the forward gives values that are not finite; look at the weights")
    best = [int(i) for i in logits.flatten(1)[0].topk(min(5, logits[0].numel())).indices]
    module.cpu()
    return {
        "device": _device_name(device),
        "input": [list(t.shape) for t in inputs],
        "output": list(logits.shape),
        "outputs": [list(t.shape) for t in outputs],
        "milliseconds": round(milliseconds, 1),
        "largest": best,
        "image": _words(image, how),
    }


def _words(image: Path | None, how: Preprocessing | None) -> str:
    """Return which picture was run, and what became of it where somebody says it."""
    picture = str(image) if image else "the photograph that netdraft ships with"
    return picture if how is None else f"{picture} ({how.words})"


def _sample(name: str, size: Shape, image: Path | None, how: Preprocessing | None) -> Tensor:
    import torch

    shape = size.numbers
    if len(shape) == 3 and shape[0] == 3:
        from backends.state.photo import INCEPTION, load_photo

        return load_photo(image, shape[1], shape[2], how or INCEPTION)
    if image is not None:
        raise UsageError(f"--image: the input `{name}` is {size}, not an RGB image")
    return torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))


def _tensors(out: Any) -> Iterator[Tensor]:
    """Yield what leaves a module: one tensor, or those of tuples in order."""
    import torch

    if isinstance(out, torch.Tensor):
        yield out
    else:
        for part in out.values() if isinstance(out, dict) else out:
            yield from _tensors(part)


def _device_name(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"


def _sizes(shapes: list[list[int]]) -> str:
    return ", ".join("x".join(map(str, shape)) for shape in shapes)


def _report(
    graph: Graph,
    paths: tuple[Path, ...],
    features: tuple[Feature, ...],
    forward: dict[str, Any],
    format: str,
) -> None:
    files = [(str(p), p.stat().st_size) for p in paths]
    summary = summarize(graph)
    if format == "json":
        listed = [{"path": path, "bytes": count} for path, count in files]
        report = {"summary": summary_json(summary), "forward": forward, "files": listed}
        if features:
            report["features"] = [asdict(feature) for feature in features]
        write(sys.stdout, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
        return
    inputs, outputs = (_sizes(forward[key]) for key in ("input", "outputs"))
    write(sys.stdout, "\n" + summary_text(summary) + "\n\n")
    write(
        sys.stdout,
        f"forward on {forward['device']}: {inputs} -> {outputs} in "
        f"{forward['milliseconds']:.0f} ms\nimage: {forward['image']}\n",
    )
    lines = [f"  {path}  {show_bytes(count)}\n" for path, count in files]
    write(sys.stdout, "files:\n" + "".join(lines))
