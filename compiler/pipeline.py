"""The whole story: load, lower, verify."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.collector import paused
from compiler.errors import CompileError, Report, UsageError, in_file_order
from compiler.graph import Graph, verify
from compiler.lower import lower_network
from compiler.passes.leaving import endings, final_softmax, keep_only, take_logits, unread
from compiler.spec import Spec, load_spec
from compiler.text import show_value

if TYPE_CHECKING:
    from compiler.weights.mapping import WeightMap

NO_SETTINGS: Mapping[str, str] = {}


def load_graph(
    spec: str | Path, settings: Mapping[str, object] = NO_SETTINGS, inputs: Sequence[str] = ()
) -> Graph:
    """Return the checked graph of a network.

    Args:
        spec: a file, or a shipped name such as `inception_v4`.
        settings: values for the network's parameters, as text.
        inputs: other input sizes, `3x75x75` or `image=3x75x75` (C x H x W).

    Raises:
        CompileError: the spec is at fault; it holds every diagnostic of the run.
        UsageError: there is no such spec, parameter or input.
    """
    graph, report, loaded = draft_graph(spec, settings, inputs)
    if report.errors:
        raise CompileError(in_file_order(report.diagnostics, loaded.texts), loaded.texts)
    return graph


def draft_graph(
    spec: str | Path, settings: Mapping[str, object] = NO_SETTINGS, inputs: Sequence[str] = ()
) -> tuple[Graph, Report, Spec]:
    """Return the graph of a network even where the spec is wrong, the findings, and the spec.

    Sizes that an error made unknown are None; nodes that do not fit are in the graph all the
    same, so that a broken spec can be drawn.

    Raises:
        CompileError: nothing at all can be made of the file.
    """
    report = Report()
    texts: dict[str, str] = {}
    try:
        with paused():
            loaded = load_spec(spec, report, texts)
            graph = draft(loaded, report, settings, inputs)
    except CompileError as error:
        report.add_all(error.diagnostics)
        raise CompileError(in_file_order(report.diagnostics, texts), texts) from None
    return graph, report, loaded


def draft(
    spec: Spec, report: Report, settings: Mapping[str, object], inputs: Sequence[str]
) -> Graph:
    """Return the graph of a loaded spec: checked, and without dead parts, where nothing is wrong.

    Raises:
        CompileError: the file holds no network that could be drawn.
        UsageError: a setting or input names what the network does not have.
    """
    graph = lower_network(spec, report, settings, inputs)
    if report.errors:
        _say_sizes(spec, graph, report, settings, inputs)
        return graph
    for warning in unread(graph):
        report.add(warning)
    # Here, so that nothing after it meets what no output depends on.
    graph = keep_only(graph, [*(o.node for o in graph.outputs), *endings(graph)])
    verify(graph)
    return graph


def _say_sizes(
    spec: Spec,
    graph: Graph,
    report: Report,
    settings: Mapping[str, object],
    inputs: Sequence[str],
) -> None:
    """Say with errors which input sizes would mend them."""
    from compiler.facts.advice import MATTERS_OF_SIZE, say_kept_sizes, say_working_sizes

    def lower_at(sizes: Sequence[str], tried: Report) -> None:
        lower_network(spec, tried, settings, [*inputs, *sizes])

    say_working_sizes(graph, report, lower_at)
    if inputs and any(d.code in MATTERS_OF_SIZE for d in report.errors):
        declared = lower_network(spec, Report(), settings, ())
        say_kept_sizes(graph, declared, report, lower_at)


def target_graph(graph: Graph, *, probabilities: bool = False, taps: Sequence[str] = ()) -> Graph:
    """Return a checked graph as every target gets it: without what no output depends on.

    Outputs that a spec lists leave as they are. Where it lists none, its last layer leaves; and
    where that is a softmax, what enters it, the logits, since training code wants them.

    Args:
        graph: a checked graph.
        probabilities: keep that softmax.
        taps: names of layers or blocks whose tensors leave too.

    Raises:
        UsageError: there is no softmax that `probabilities` could keep.
    """
    if not probabilities:
        return take_logits(graph, taps)
    if final_softmax(graph) is None:
        why = "its last layer is no softmax"
        if graph.returns != "last layer":
            why = "its outputs are listed, and each is exactly the tensor that it names"
        raise UsageError(f"`{graph.name}` has no softmax that could be kept or left off: {why}")
    return replace(graph, returns="outputs", spec=graph)


def published_graph(weights: WeightMap, graph: Graph) -> Graph | None:
    """Return the network that a map is for, with the settings of `graph` where it has them.

    None where the map names no network, or none that can be built so: then there is nothing to
    compare with.
    """
    if not weights.spec:
        return None
    beside = weights.folder / weights.spec
    spec = beside if beside.is_file() else weights.spec
    try:
        published = load_graph(spec)
        given = {name: show_value(value) for name, value in graph.arguments.items()}
        settings = {p.name: given[p.name] for p in published.params if p.name in given}
        return load_graph(spec, settings) if settings else published
    except (CompileError, UsageError):
        return None
