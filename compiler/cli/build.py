"""`build`: check, build the module, run it once, write the artefacts, print the stage table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compiler.cli.artefacts import Built, weights_file, write_artefacts
from compiler.cli.options import (
    add_emit,
    add_format,
    add_preprocessing,
    add_probabilities,
    add_spec,
    add_weights,
    check_weights,
    checked_graph,
    compilation_from,
    device_of,
    file_path,
    listed,
    preprocessing_of,
    whole,
)
from compiler.cli.summary import as_json as summary_json
from compiler.cli.summary import as_text as summary_text
from compiler.errors import UsageError, on_one_line
from compiler.errors.terminal import write
from compiler.facts.available_memory import check_memory, show_bytes
from compiler.facts.features import Feature, features_of
from compiler.facts.summarize import summarize
from compiler.facts.working_sizes import open_sizes
from compiler.files import check_folder
from compiler.graph import Graph
from compiler.graph.print import print_graph
from compiler.passes.outputs import tap_nodes
from compiler.pipeline import STAGES, Compilation, Interface
from compiler.weights.mapping import Preprocessing, load_map
from compiler.weights.report import WeightsReport

if TYPE_CHECKING:
    from torch import Tensor, nn

HELP = """Compile a spec: check it, build the module on the GPU if there is one, run one forward on
a photograph, write the artefacts to build/NAME/ and print the stage table. Files are written
whole or not at all."""

TARGETS = {"torch": 1, "source": 1, "onnx": 5, "export": 2}
"""What can be made, and how often the parameters are in memory while it is."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=file_path,
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
        "--weights",
        metavar="FILE",
        type=file_path,
        help="safetensors (or a torch checkpoint) to load",
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
    parser.add_argument(
        "--image", metavar="FILE", type=file_path, help="a photograph for the forward"
    )
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
    add_emit(parser, "graph", "shapes", "optimized", help="print this stage and stop")
    parser.add_argument(
        "--print-after-each", action="store_true", help="print the graph after every pass"
    )
    add_format(parser, "text", "json")


def run(args: argparse.Namespace) -> int:
    """Build a spec; 0."""
    targets = args.target
    _check_targets(targets)
    check_weights(args)
    compilation, preprocessing = _compilation(args)
    if args.emit:
        write(sys.stdout, STAGES[args.emit](compilation))
        return 0
    target, whole = compilation.target, compilation.whole
    optimized = compilation.optimized if args.optimize else target
    log = _logger(args.format == "text")
    folder = args.output or Path("build") / whole.name
    check_folder(folder)
    converted = 2 if args.optimize or args.save_weights else 1
    check_memory(target, max(converted, *(TARGETS[name] for name in targets)))
    log(f"{on_one_line(whole.title)}: checked, {len(whole.nodes)} operations")
    log("loading torch ...")
    _import_what_is_needed(targets, args)
    from backends.run.once import run_once

    device = device_of(args.device)
    built = _build(whole, target, optimized, args, log)
    forward = run_once(built.module, built.graph, device, args.image, preprocessing)
    features = compilation.interface.features
    summarized = target if features else whole
    weights = weights_file(built, preprocessing_of(args)) if args.save_weights else {}
    files = write_artefacts(built, folder, targets, summarized, weights)
    _announce(target, features, args, log)  # once nothing can be refused
    _report(summarized, files, features, forward, args.format)
    return 0


def _compilation(args: argparse.Namespace) -> tuple[Compilation, Preprocessing | None]:
    """Return the compilation that the options ask for, and what is left to do to a picture."""
    compilation = compilation_from(args)
    graph = checked_graph(compilation)
    features = _features(graph, args)
    tap_nodes(graph, args.taps)  # what cannot be tapped is refused before anything else
    if args.emit in ("graph", "shapes"):  # which do not have the interface of a target
        return compilation, None
    left = how = preprocessing_of(args)
    if args.normalize:
        from compiler.weights.pictures import needed
        from compiler.weights.standardize import with_plain_range

        how = needed(how, "--normalize needs mean and deviation, and nothing says them")
        left = with_plain_range(how)
    inside = how if args.normalize else None
    compilation.interface = Interface(args.probabilities, args.taps, inside, features)
    if args.print_after_each:
        compilation.after_each = _print_after
    return compilation, left


def _print_after(name: str, graph: Graph) -> None:
    write(sys.stdout, f"after {name}:\n{print_graph(graph)}\n")


def _import_what_is_needed(targets: tuple[str, ...], args: argparse.Namespace) -> None:
    """Import what the end of a build needs, so that nothing is written where it is missing."""
    import backends.run.once
    import backends.torch.module

    if args.save_weights or args.weights is not None:
        import backends.state.weights_io
    if "onnx" in targets:
        import backends.onnx.files  # noqa: F401


def _announce(
    network: Graph,
    features: tuple[Feature, ...],
    args: argparse.Namespace,
    log: Callable[[str], None],
) -> None:
    """Log outputs and inputs, where they are not what the spec has."""
    if network.returns == "logits":
        log("the logits leave, not the softmax of them (--probabilities keeps it)")
    for feature in features:
        what = f"{feature.num_chs} channels, stride {feature.reduction}"
        log(f"feature: {feature.module}, {what}")
    if sizes := open_sizes(network):
        log(f"sizes that fit: {sizes}")
    if args.normalize:
        log("the network takes RGB values from 0 to 1; mean and deviation are inside")


def _logger(is_text: bool) -> Callable[[str], None]:
    def log(text: str) -> None:
        if is_text:
            write(sys.stdout, text + "\n")

    return log


def _check_targets(names: tuple[str, ...]) -> None:
    for name in names:
        if name not in TARGETS:
            raise UsageError(f"unknown target: {name} (must be one of {', '.join(TARGETS)})")


def _features(graph: Graph, args: argparse.Namespace) -> tuple[Feature, ...]:
    names = args.features
    if names and (args.taps or args.probabilities):
        raise UsageError("--features gives maps alone: leave out --taps and --probabilities")
    return features_of(graph, () if names == ("auto",) else names) if names else ()


def _build(
    checked: Graph,
    graph: Graph,
    optimized: Graph,
    args: argparse.Namespace,
    log: Callable[[str], None],
) -> Built:
    """Build the module, load weights, and convert them where the graph was optimised."""
    from backends.torch.module import build_module

    taps = args.taps
    seed = args.seed if args.weights is None else None
    module = build_module(graph, seed=seed, taps=taps)
    report = None
    if args.weights is not None:
        log(f"weights: {args.weights}")
        report = _load_weights(checked, graph, module, args)
        log(report.as_text().rstrip())
    state = dict(module.state_dict())
    plain = graph, state
    if optimized is not graph:
        from backends.state.parameters import convert_state

        state = convert_state(optimized, state)
        module = build_module(optimized, seed=None, taps=taps)
        _load_converted(module, state)
        log(f"optimised: {len(graph.nodes)} operations became {len(optimized.nodes)}")
    return Built(plain, optimized, module, state, taps, log, report)


def _load_weights(
    checked: Graph, graph: Graph, module: nn.Module, args: argparse.Namespace
) -> WeightsReport:
    from backends.state.fit_weights import load_weights
    from backends.torch.init import initialize

    report = load_weights(
        module,
        args.weights,
        args.map and load_map(args.map),
        graph=(checked if args.features else graph).as_written,
        partial=args.partial,
        drop_background=args.drop_background,
        whole=checked if args.features else None,  # the file is of the whole network
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
    image = forward["image"] or "none, the input is random numbers"
    write(
        sys.stdout,
        f"forward on {forward['device']}: {inputs} -> {outputs} in "
        f"{forward['milliseconds']:.0f} ms\nimage: {image}\n",
    )
    lines = [f"  {path}  {show_bytes(count)}\n" for path, count in files]
    write(sys.stdout, "files:\n" + "".join(lines))
