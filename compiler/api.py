"""The functions for use from Python: what `import netdraft` gives.

Each takes a spec (a file, or a shipped name such as `inception_v4`) or a graph that was loaded
before. Torch, ONNX and the drawing code are imported by the function that needs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from warnings import warn

from compiler.compare import Comparison, compare, load_operand
from compiler.errors import (
    BackendError,
    CompileError,
    Diagnostic,
    NetdraftError,
    UsageError,
    did_you_mean,
    from_python,
    listing,
)
from compiler.errors.given import file_given, named_given, refuse, texts_given, whole_given
from compiler.facts.prediction import ClassScore, Prediction
from compiler.facts.summarize import Summary, summarize
from compiler.facts.why import Step
from compiler.facts.why import why as derive
from compiler.graph import Graph
from compiler.pipeline import NO_SETTINGS, Compilation, load_graph, target_graph
from compiler.weights.report import WeightsReport

if TYPE_CHECKING:
    import torch
    from torch import nn

    from backends.run.optimized import Optimized
    from compiler.weights.mapping import Preprocessing
    from viz.notebook import Drawing

Spec = str | Path | Graph
"""A file, a shipped name, or a loaded graph."""

__all__ = [
    "BackendError",
    "ClassScore",
    "Comparison",
    "CompileError",
    "Diagnostic",
    "Graph",
    "NetdraftError",
    "Prediction",
    "Spec",
    "Step",
    "Summary",
    "UsageError",
    "WeightsReport",
    "build_module",
    "check",
    "diff",
    "emit_source",
    "features",
    "graph_of",
    "load",
    "load_weights",
    "optimize",
    "predict",
    "render",
    "show",
    "summary",
    "why",
]


@from_python
def load(
    spec: Spec, settings: Mapping[str, object] = NO_SETTINGS, inputs: Sequence[str] = ()
) -> Graph:
    """Return the checked graph of a network.

    Args:
        spec: a file, a shipped name, or a graph (returned as it is).
        settings: values for the network's parameters, as text or plain: `{"classes": "10"}`.
        inputs: other input sizes, channels first: `["3x75x75"]` or `["image=3x75x75"]`; a single
            text is one of them.

    Raises:
        CompileError: the spec is at fault; `diagnostics` holds every error of the run.
        UsageError: there is no such spec, parameter or input, or an argument is of another kind.
    """
    if isinstance(spec, Graph):
        return spec
    file_given("spec", spec, ", a shipped name or a graph")
    named_given("settings", settings, "{'classes': 10}")
    return load_graph(spec, settings, texts_given("inputs", inputs, "3x299x299"))


@from_python
def check(spec: str | Path) -> tuple[Diagnostic, ...]:
    """Return every error and warning of a network's spec, in file order.

    Nothing is raised for them.

    Raises:
        UsageError: there is no such spec, or it is a library of blocks.
    """
    file_given("spec", spec, " or a shipped name")
    compilation = Compilation(spec)
    with suppress(CompileError):  # whose diagnostics are in the report
        compilation.draft  # noqa: B018  # to read a stage is to run it
    return compilation.diagnostics


@from_python
def summary(spec: Spec, depth: int = 1) -> Summary:
    """Return sizes, parameters, MACs, memory and receptive field, stage by stage.

    Args:
        spec: a file, a shipped name, or a graph.
        depth: how far regions are opened, from 1.
    """
    whole_given("depth", depth, 1)
    return summarize(load(spec), depth)


@from_python
def diff(
    before: Spec,
    after: Spec,
    settings: Mapping[str, object] = NO_SETTINGS,
    inputs: Sequence[str] = (),
) -> Comparison:
    """Return what is different between two networks, in architecture terms.

    `comparison.changes` are the layers added, removed, changed and renamed, each with the category
    of what it breaks (drawing < numerics < interface < weights); `.totals` parameters, MACs and
    operations, `.tensors` what of a file of weights no longer loads. `comparison.worst` is the
    gravest category, None where nothing is different.

    Args:
        before: a file, a shipped name, `"git:REVISION:PATH"`, or a graph.
        after: the same.
        settings: values for the parameters of both, as `load` takes them; not of a graph.
        inputs: other input sizes of both.

    Raises:
        CompileError: a spec is at fault; then nothing is compared.
        UsageError: there is no such spec, revision, parameter or input.
    """
    named_given("settings", settings, "{'classes': 10}")
    sizes = texts_given("inputs", inputs, "3x299x299")
    graphs, names = [], []
    for what, spec in (("before", before), ("after", after)):
        if isinstance(spec, Graph):
            graph, name = spec, spec.name
        else:
            file_given(what, spec, ", a shipped name, 'git:REVISION:PATH' or a graph")
            graph, name = load_operand(str(spec), settings, sizes)
        graphs.append(graph)
        names.append(name)
    return compare(graphs[0], graphs[1], (names[0], names[1]))


@from_python
def why(
    spec: Spec,
    value: str,
    settings: Mapping[str, object] = NO_SETTINGS,
    inputs: Sequence[str] = (),
) -> Step:
    """Return where a number of a network comes from, down to what somebody wrote.

    `step.value` is the number, `.formula` what it comes of, `.span` and `.cite` where that is said,
    `.terms` the numbers in the formula, each with a `label` and a `step` of its own. Of a spec with
    errors too: why a size is not what it should be; `check` says what is wrong.

    Args:
        spec: a file, a shipped name, or a graph.
        value: `channels`, `height`, `width`, `parameters`, `macs`, `buffers` or `receptive_field`
            of a layer or block (`"reduction_a.channels"`) or of the network (`"macs"`), an
            attribute of a layer (`"stem.conv_1a.stride"`) or a parameter (`"classes"`).
        settings: values for the network's parameters, as `load` takes them; not of a graph.
        inputs: other input sizes.

    Raises:
        CompileError: the spec is so wrong that there is no graph.
        UsageError: there is no such spec, value, parameter or input.
    """
    if not isinstance(value, str):
        refuse("value", value, "give the name of a number, as 'reduction_a.channels'")
    if isinstance(spec, Graph):
        return derive(spec, value)
    file_given("spec", spec, ", a shipped name or a graph")
    named_given("settings", settings, "{'classes': 10}")
    sizes = texts_given("inputs", inputs, "3x299x299")
    return derive(Compilation(spec, settings, sizes).draft, value)


@from_python
def build_module(
    spec: Spec,
    *,
    weights: str | Path | None = None,
    weights_from: str | Path | None = None,
    partial: bool = False,
    device: str | None = None,
    seed: int = 0,
    taps: Sequence[str] = (),
    probabilities: bool = False,
    normalize: str | bool = False,
) -> nn.Module:
    """Return a network as a `torch.nn.Module`: (N, C, H, W) in, logits (N, classes) out.

    The outputs that a spec lists are exactly the tensors that they name. Where it lists none, the
    last layer leaves, or, where that is a softmax, the logits that enter it.

    Args:
        spec: a file, a shipped name, or a graph.
        weights: safetensors or a torch checkpoint; no code in it is run.
        weights_from: whose names it has, a map by name (`timm:inception_v4`) or by path; None:
            the module's own.
        partial: load the tensors that fit by name and shape; `load_weights` returns which.
        device: where it goes; None is the CPU.
        seed: of the initial weights.
        taps: names of layers or blocks whose tensors are returned too.
        probabilities: keep the softmax that ends the network.
        normalize: take RGB values from 0 to 1 and standardise them inside, with mean and
            deviation of a map (`"timm:inception_v4"`), of `"{mean: ..., deviation: ...}"`, or,
            True, of what `weights` or `weights_from` say.

    Raises:
        BackendError: the weights do not fit; every tensor that does not is named.
        UsageError: there is no softmax that `probabilities` could keep, nothing says mean and
            deviation, or `weights_from` or `partial` says how a file is loaded that is not given.
    """
    from backends.torch import init as torch_init
    from backends.torch import module as torch_module

    _check_file(weights, None if normalize is True else weights_from, partial)
    _check_seed(seed)
    taps, place = texts_given("taps", taps, "stem"), _place(device)
    how = None
    if normalize is not False:
        how = _preprocessing(_recorded(weights, weights_from) if normalize is True else normalize)
    graph = target_graph(load(spec), probabilities=probabilities, taps=taps, standardize=how)
    module = torch_module.build_module(graph, seed=seed if weights is None else None, taps=taps)
    if weights is not None:
        report = load_weights(module, weights, weights_from, partial=partial)
        torch_init.initialize(module, seed, report.loaded)
    return module if place is None else module.to(place)


@from_python
def features(
    spec: Spec,
    names: Sequence[str] = (),
    *,
    weights: str | Path | None = None,
    weights_from: str | Path | None = None,
    partial: bool = False,
    device: str | None = None,
    seed: int = 0,
) -> nn.Module:
    """Return a network without its head as a module that gives the list of feature maps.

    `module.feature_info` lists `{"num_chs", "reduction", "module"}` of each, as timm's
    `features_only=True` does. A reduction is the product of the strides on the way.

    Args:
        spec: a file, a shipped name, or a graph.
        names: layers or blocks whose maps are wanted, in that order; without any the last map
            before each change of stride, on the way that everything takes.
        weights: safetensors or a torch checkpoint of the whole network; no code in it is run.
        weights_from: whose names it has, a map by name (`timm:inception_v4`) or by path; None:
            the module's own.
        partial: load the tensors that fit by name and shape; `load_weights` returns which.
        device: where it goes; None is the CPU.
        seed: of the initial weights.

    Raises:
        BackendError: the weights do not fit.
        UsageError: a name is none of the network, or gives no map; or `weights_from` or `partial`
            says how a file is loaded that is not given.
    """
    from backends.torch import features as torch_features
    from backends.torch import init as torch_init

    _check_file(weights, weights_from, partial)
    _check_seed(seed)
    names, place = texts_given("names", names, "stem"), _place(device)
    graph = load(spec)
    module = torch_features.build_features(graph, names, seed=seed if weights is None else None)
    if weights is not None:
        report = load_weights(module, weights, weights_from, partial=partial)
        torch_init.initialize(module, seed, report.loaded)
    return module if place is None else module.to(place)


def _place(device: str | None) -> torch.device | None:
    """Return where a module goes; None is where it is made."""
    from backends.run.place import device_from

    return None if device is None else device_from(device)


def _check_file(weights: str | Path | None, source: str | Path | None, partial: bool) -> None:
    """Refuse what is no file, and what says how a file is loaded where none is given."""
    if weights is not None:
        file_given("weights", weights)
    if source is not None:
        file_given("weights_from", source, " of a map, or the name of one")
    if weights is None and (partial or source is not None):
        what = "partial" if source is None else "weights_from"
        raise UsageError(f"`{what}` says how a file is loaded: name the file with `weights`")


def _check_seed(seed: int) -> None:
    whole_given("seed", seed)
    if seed >= 2**64:
        refuse("seed", seed, "it is less than 2**64")


def _built(what: str, module: nn.Module, others: str = "") -> nn.Module:
    """Return a module of torch, or refuse what is none."""
    from torch import nn

    if not isinstance(module, nn.Module):
        refuse(what, module, f"give {others}a module that build_module made")
    return module


def _recorded(weights: str | Path | None, weights_from: str | Path | None) -> Preprocessing | None:
    """Return how a picture becomes the input, as a map or a file of weights records it."""
    from backends.state import fit_weights
    from compiler.weights.mapping import load_map

    if weights_from is not None:
        return load_map(weights_from).preprocessing
    return None if weights is None else fit_weights.preprocessing_of(Path(weights))


def _preprocessing(how: Preprocessing | str | None) -> Preprocessing:
    """Return the preprocessing that `normalize` names; None is what weights do not have."""
    from compiler.weights.mapping import Preprocessing
    from compiler.weights.pictures import preprocessing_from

    if not isinstance(how, str | Preprocessing | None):
        refuse("normalize", how, "give a map, as 'timm:inception_v4', or '{mean: ..., ...}'")
    if how is None:
        raise UsageError(
            "normalize=True: the weights do not say mean and deviation; give a map, as "
            "normalize='timm:inception_v4', or '{mean: ..., deviation: ..., interpolation: ...}'"
        )
    return preprocessing_from(how, "--normalize") if isinstance(how, str) else how


@from_python
def load_weights(
    module: nn.Module,
    file: str | Path,
    weights_from: str | Path | None = None,
    *,
    partial: bool = False,
) -> WeightsReport:
    """Load a file of weights into a module and return what became of every tensor.

    Args:
        module: changed in place. One of feature maps takes the weights of the whole network: what
            belongs to layers that it left out is `report.not_needed`.
        file: safetensors or a torch checkpoint; no code in it is run.
        weights_from: whose names it has, a map by name (`timm:inception_v4`) or by path; None:
            the module's own.
        partial: load the tensors that fit by name and shape. `report.loaded`, `.differing`,
            `.fresh` and `.dropped` name them all, `.layers` says it by layer, `print(report)`
            shows it.

    Raises:
        BackendError: the weights do not fit; every tensor that does not is named, and the module
            is as it was.
        CompileError: the map's file is at fault.
        UsageError: there is no such file or map.
    """
    from backends.state import fit_weights
    from backends.torch import module as torch_module
    from compiler.weights.mapping import load_map

    module = _built("module", module)
    file_given("file", file)
    _check_file(file, weights_from, partial)
    weights = None if weights_from is None else load_map(weights_from)
    graph = torch_module.graph_of(module) if torch_module.is_built(module) else None
    is_part = torch_module.feature_info_of(module) is not None
    report = fit_weights.load_weights(
        module, Path(file), weights, graph=graph, partial=partial, whole=graph if is_part else None
    )
    with suppress(BackendError, CompileError):  # tensors are good, only what is said beside is not
        torch_module.take_notes(module, fit_weights.notes_of(report))
    return report


@from_python
def predict(
    network: Spec | nn.Module,
    images: str | Path | Sequence[str | Path],
    *,
    weights: str | Path | None = None,
    weights_from: str | Path | None = None,
    top: int = 5,
    names: str | Path | Sequence[str] = (),
    preprocessing: str | None = None,
    output: str | None = None,
    device: str | None = None,
) -> tuple[Prediction, ...]:
    """Return the best classes of pictures, by name where the weights say the names.

    What the command `predict` prints: `prediction.classes` holds `top` classes, the best one first,
    each with `index`, `name`, `probability` and `value`.

    Args:
        network: a file, a shipped name, a graph, or a module that `build_module` made, which then
            computes with the weights that it has, in evaluation mode, where it is.
        images: a picture's file, or several.
        weights: of a spec: safetensors or a torch checkpoint; no code in it is run.
        weights_from: whose names it has, a map by name (`timm:inception_v4`) or by path; None:
            the module's own.
        top: how many classes.
        names: of the classes, or a file with one a line; without any what the weights say.
        preprocessing: how a picture becomes the input: a map, `"{mean: ..., deviation: ...,
            interpolation: ...}"`, or None: what the weights say.
        output: the one with the classes, where there are several.
        device: where a spec's module runs; None is the CPU.

    Raises:
        BackendError: the weights do not fit; every tensor that does not is named.
        UsageError: the network gives no classes of a picture, a file is not there, or nothing says
            how a picture becomes the input.
        ValueError: netdraft did not build the module.
    """
    from backends.run import classifier as classifiers

    whole_given("top", top, 1)
    if preprocessing is not None and not isinstance(preprocessing, str):
        refuse("preprocessing", preprocessing, "give a map, or '{mean: ..., ...}'")
    if not isinstance(names, str | Path):
        names = texts_given("names", names, "tench")
    overrides = classifiers.parse_overrides(output, names, preprocessing)
    paths = [Path(p) for p in _pictures(images)]
    if not isinstance(network, str | Path | Graph):
        network = _built("network", network, "a file, a shipped name, a graph or ")
        if weights is not None or weights_from is not None:
            raise UsageError("a module has its weights; `load_weights` gives it others")
        return classifiers.predict_with(network, paths, top, overrides)
    if weights is None:
        raise UsageError("a spec has no weights: give a file of them, weights=...")
    _check_file(weights, weights_from, partial=False)
    from compiler.weights.mapping import load_map

    source = None if weights_from is None else load_map(weights_from)
    graph = target_graph(load(network))
    classifier = classifiers.load_classifier(
        graph, Path(weights), source, overrides, device=str(_place(device) or "cpu")
    )
    if classifier.warnings:
        warn("\n".join(classifier.warnings).strip(), stacklevel=2)
    return tuple(classifier.predict(path, top) for path in paths)


def _pictures(images: str | Path | Sequence[str | Path]) -> list[str | Path]:
    listed = [images] if isinstance(images, str | Path) else images
    if not isinstance(listed, Iterable):
        refuse("images", images, "give the file of a picture, or several")
    out = list(listed)
    for image in out:
        file_given("images", image, " of a picture")
    return out


@from_python
def optimize(network: nn.Module, *, passes: Sequence[str] | None = None) -> Optimized:
    """Return a network after the optimiser's passes, ready for `.for_inference(device, dtype)`.

    Args:
        network: a module that `build_module` made, with the weights that it is to have.
        passes: names of passes, in order; None: all that suit inference.

    Raises:
        UsageError: there is no pass of that name, or `network` is no module.
        ValueError: netdraft did not build the module.
    """
    from backends.run import optimized
    from compiler.passes.optimizer import DEFAULT_PASSES, PASSES

    network = _built("network", network)
    if passes is None:
        return optimized.optimize(network, passes=DEFAULT_PASSES)
    names = texts_given("passes", passes, "fold_batch_norm")
    for name in names:
        if name not in PASSES:
            guess = did_you_mean(name, PASSES)
            raise UsageError(f"there is no pass `{name}`{guess}; the passes are {listing(PASSES)}")
    return optimized.optimize(network, passes=names)


@from_python
def graph_of(module: nn.Module) -> Graph:
    """Return the graph that a module was built from.

    Raises:
        UsageError: it is no module.
        ValueError: netdraft did not build it.
    """
    from backends.torch import module as torch_module

    return torch_module.graph_of(_built("module", module))


@from_python
def emit_source(
    spec: Spec,
    *,
    taps: Sequence[str] = (),
    probabilities: bool = False,
    normalize: str | None = None,
) -> str:
    """Return a network as the text of one Python file that imports only torch.

    What leaves is what leaves the module of `build_module`, with the same `taps`,
    `probabilities` and `normalize`. The constructor takes the parameters of the spec, and the
    channels of its inputs, wherever every use of one is written as a formula:
    `InceptionV4(classes=10)` is the class that `classes=10` as a setting gives. The others, such
    as what a `when` reads, are numbers in the text.
    """
    from backends.torch import source as torch_source

    taps = texts_given("taps", taps, "stem")
    how = None if normalize is None else _preprocessing(normalize)
    graph = target_graph(load(spec), probabilities=probabilities, taps=taps, standardize=how)
    return torch_source.emit_source(graph, taps=taps)


@from_python
def render(
    spec: Spec,
    format: str = "svg",
    *,
    block: str | None = None,
    figure: int | None = None,
    depth: int = 0,
    heat: str | None = None,
    theme: str = "paper",
    direction: Literal["up", "right"] = "up",
    columns: int = 1,
) -> bytes:
    """Return a figure of a network, or of one block, as the contents of a file.

    Args:
        spec: a file, a shipped name, or a graph.
        format: svg, pdf, png, dot, tikz or json.
        block: a block's name, or the path of an instance of one.
        figure: the block that is cited as this figure of the paper.
        depth: how many levels of blocks are opened.
        heat: colours by what a box costs: params, macs, memory or rf.
        theme: paper, slide, dark, auto or safe.
        direction: where data flows to, up or right.
        columns: into how many columns a long picture is split.
    """
    from viz import render as drawing
    from viz.diagram.heat import HEATS
    from viz.layout.lay_out import DIRECTIONS

    if not isinstance(format, str):
        refuse("format", format, f"it is one of {', '.join(drawing.WRITERS)}")
    _check_drawn(block, figure)
    whole_given("depth", depth)
    whole_given("columns", columns, 1)
    for name, value, known in (("heat", heat, HEATS), ("direction", direction, DIRECTIONS)):
        if value not in (*known, None):
            refuse(name, value, f"it is one of {', '.join(known)}")
    if not isinstance(theme, str):
        refuse("theme", theme, f"it is one of {', '.join(drawing.THEMES)}")
    options = drawing.Options(
        block=block,
        figure=figure,
        depth=depth,
        heat=heat,
        theme=theme,
        direction=direction,
        columns=columns,
    )
    return drawing.render(load(spec), format, options)


def _check_drawn(block: str | None, figure: int | None) -> None:
    if block is not None and not isinstance(block, str):
        refuse("block", block, "give the name of a block, or the path of an instance")
    if figure is not None:
        whole_given("figure", figure, 1)


@from_python
def show(
    spec: Spec, *, block: str | None = None, figure: int | None = None, depth: int = 0
) -> Drawing:
    """Return a figure that a notebook shows by itself.

    Args:
        spec: a file, a shipped name, or a graph.
        block: a block's name, or the path of an instance of one.
        figure: the block that is cited as this figure of the paper.
        depth: how many levels of blocks are opened.
    """
    from viz.notebook import Drawing

    whole_given("depth", depth)
    _check_drawn(block, figure)
    return Drawing(load(spec), block, figure, depth)
