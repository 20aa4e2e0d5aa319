"""The whole story: text -> spec -> graph -> the graph that a target compiles -> passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.collector import paused
from compiler.errors import (
    NOWHERE,
    CompileError,
    Diagnostic,
    Report,
    Span,
    UsageError,
    in_file_order,
)
from compiler.graph import Graph, verify
from compiler.lower import StatedSizes, check_unused, lower_network
from compiler.passes.outputs import (
    final_softmax,
    keep_only,
    take_logits,
    trailing_softmaxes,
    unused_layers,
)
from compiler.spec import Spec, load_spec

if TYPE_CHECKING:
    from compiler.facts.features import Feature
    from compiler.weights.mapping import Preprocessing

NO_SETTINGS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Interface:
    """Inputs and outputs of a target's network, where they are not those of the spec."""

    probabilities: bool = False
    """Keep the softmax that ends the network."""
    taps: tuple[str, ...] = ()
    """Layers or blocks whose tensors are outputs too."""
    standardize: Preprocessing | None = None
    """The input is RGB from 0 to 1; mean and deviation are applied inside."""
    features: tuple[Feature, ...] = ()
    """Feature maps that are the outputs instead."""


class Compilation:
    """A network on its way from the files of a spec to the graph that a target compiles.

    The attributes after the first are its stages, in order. Each is made from the one before
    when it is first read, so that nothing runs which nobody asks for; `STAGES` prints them.
    """

    def __init__(
        self,
        source: str | Path,
        settings: Mapping[str, object] = NO_SETTINGS,
        inputs: Sequence[str] = (),
        unsaved: Mapping[str, str] = NO_SETTINGS,
    ) -> None:
        self.source = source
        self.settings = settings
        self.inputs = inputs
        self.unsaved = unsaved
        """Real path of a file -> the text that it has in an editor."""
        self.interface = Interface()
        self.after_each: Callable[[str, Graph], None] | None = None
        """Called with the name of a pass and the graph after it."""
        self.report = Report()
        self.texts: dict[str, str] = {}
        self.looked_for: set[Path] = set()
        """Where the files were looked for that the spec names, whether they are there or not."""
        self.left_out = NOWHERE
        """What stands there is not read: to see whether it is the cause of a finding."""
        self._tried: dict[Span, frozenset[tuple[str, Span]]] = {}

    @cached_property
    def spec(self) -> Spec:
        """What the files hold, with imports and variants resolved."""
        with self.reporting():
            return load_spec(
                self.source, self.report, self.texts, self.unsaved, self.left_out, self.looked_for
            )

    @cached_property
    def draft(self) -> Graph:
        """The graph, even where the spec is wrong; `report` has what is.

        Sizes that an error made unknown are None; nodes that do not fit are in the graph all the
        same, so that a broken spec can be drawn.
        """
        spec = self.spec
        with self.reporting():
            stated: StatedSizes = {}
            graph = lower_network(spec, self.report, self.settings, self.inputs, stated)
            assert spec.network is not None
            check_unused(spec, spec.network, graph, self.report)
            if self.report.errors:
                _add_sizes(spec, graph, stated, self.report, self.settings, self.inputs)
                return graph
            for warning in unused_layers(graph):
                self.report.add(warning)
            # Here, so that no later stage meets what no output depends on.
            graph = keep_only(graph, [*(o.node for o in graph.outputs), *trailing_softmaxes(graph)])
            verify(graph)
            return graph

    @property
    def graph(self) -> Graph:
        """The checked graph, without dead parts.

        Raises:
            CompileError: the spec is at fault; it holds every diagnostic of the run.
        """
        graph = self.draft
        if self.report.errors:
            raise self._failure()
        return graph

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Let a CompileError hold every diagnostic of the run, and the report hold its own."""
        try:
            with paused():
                yield
        except CompileError as error:
            self.report.add_all(error.diagnostics)
            self._point_at_changes()
            raise self._failure() from None
        self._point_at_changes()

    def _point_at_changes(self) -> None:
        """Have findings in the files of a base name the place in the variant that causes them."""
        spec = self.__dict__.get("spec")  # its own findings wait for those of the graph
        if spec is None or self.left_out != NOWHERE or not self.report.diagnostics:
            return
        from compiler.spec.origins import point_at_block_changes  # on use, for start-up time

        if spec.base is None:
            point_at_block_changes(self.report, self._found_without)
            return
        own = {spec.written.span.file}
        if all(found.span.file in own for found in self.report.diagnostics):
            return
        from compiler.spec.origins import point_at_changes  # on use, for start-up time

        base = Compilation(spec.base, inputs=self.inputs, unsaved=self.unsaved)
        with suppress(CompileError, UsageError):
            network = base.spec.network
            has = network.params if network else {}  # the variant may have others besides
            base.settings = {name: value for name, value in self.settings.items() if name in has}
            _ = base.draft
        files = base.texts.keys() - own
        point_at_changes(
            self.report, spec.written, files, base.report.diagnostics, self._found_without
        )

    def _found_without(self, span: Span) -> frozenset[tuple[str, Span]]:
        """Return code and place of what is found where the value at a place is not read."""
        from compiler.spec.origins import MOST_TRIED

        if span not in self._tried and len(self._tried) == MOST_TRIED:
            return frozenset((d.code, d.span) for d in self.report.diagnostics)
        if span not in self._tried:
            tried = Compilation(self.source, self.settings, self.inputs, self.unsaved)
            tried.left_out = span
            with suppress(CompileError, UsageError):
                _ = tried.draft
            self._tried[span] = frozenset((d.code, d.span) for d in tried.report.diagnostics)
        return self._tried[span]

    def _failure(self) -> CompileError:
        return CompileError(self.diagnostics, self.texts)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What is wrong or doubtful, in file order."""
        return in_file_order(self.report.diagnostics, self.texts)

    @cached_property
    def whole(self) -> Graph:
        """The graph that files of weights and the summary are of: all of it, standardised too."""
        if self.interface.standardize is None:
            return self.draft
        from compiler.weights.standardize import standardize_input  # on use, for start-up time

        return standardize_input(self.draft, self.interface.standardize)

    @cached_property
    def target(self) -> Graph:
        """The graph as every target gets it, with its interface decided."""
        asked = self.interface
        return target_graph(
            self.draft,
            probabilities=asked.probabilities,
            taps=asked.taps,
            standardize=asked.standardize,
            features=asked.features,
        )

    @cached_property
    def optimized(self) -> Graph:
        """The target's graph after the optimiser's passes."""
        from compiler.passes.optimizer import optimize_graph  # on use: `check` runs no pass

        return optimize_graph(self.target, after_each=self.after_each, taps=self.interface.taps)


def _print_spec(compilation: Compilation) -> str:
    from compiler.spec.print import print_spec

    return print_spec(compilation.spec)


def _print_graph(graph: Graph, shapes: bool) -> str:
    from compiler.graph.print import print_graph

    return print_graph(graph, shapes=shapes)


STAGES: Mapping[str, Callable[[Compilation], str]] = {
    "spec": _print_spec,
    "graph": lambda compilation: _print_graph(compilation.draft, shapes=False),
    "shapes": lambda compilation: _print_graph(compilation.draft, shapes=True),
    "optimized": lambda compilation: _print_graph(compilation.optimized, shapes=True),
}
"""What `--emit` prints -> the text of a compilation at that stage; no later stage is run."""


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
    return Compilation(spec, settings, inputs).graph


def draft_graph(
    spec: str | Path, settings: Mapping[str, object] = NO_SETTINGS, inputs: Sequence[str] = ()
) -> tuple[Graph, Report, Spec]:
    """Return the graph of a network even where the spec is wrong, the findings, and the spec.

    Sizes that an error made unknown are None; nodes that do not fit are in the graph all the
    same, so that a broken spec can be drawn.

    Raises:
        CompileError: nothing at all can be made of the file.
    """
    compilation = Compilation(spec, settings, inputs)
    return compilation.draft, compilation.report, compilation.spec


def _add_sizes(
    spec: Spec,
    graph: Graph,
    stated: StatedSizes,
    report: Report,
    settings: Mapping[str, object],
    inputs: Sequence[str],
) -> None:
    """Add to errors which input sizes would mend them."""
    from compiler.facts.advice import (
        MATTERS_OF_SIZE,
        say_kept_sizes,
        say_settings,
        say_working_sizes,
    )

    def lower_at(sizes: Sequence[str], tried: Report) -> None:
        lower_network(spec, tried, settings, [*inputs, *sizes])

    say_working_sizes(graph, stated, report, lower_at)
    if inputs and any(d.code in MATTERS_OF_SIZE for d in report.errors):
        declared = lower_network(spec, Report(), settings, ())
        say_kept_sizes(graph, declared, report, lower_at)

    def lower_with(values: Mapping[str, str], tried: Report) -> None:
        lower_network(spec, tried, {**settings, **values}, inputs)

    say_settings(graph, report, lower_with)


def target_graph(
    graph: Graph,
    *,
    probabilities: bool = False,
    taps: Sequence[str] = (),
    standardize: Preprocessing | None = None,
    features: Sequence[Feature] = (),
) -> Graph:
    """Return a checked graph as every target gets it: without what no output depends on.

    Outputs that a spec lists are kept as they are. Where it lists none, the output is that of its
    last layer; where that is a softmax, it is the logits, since training code wants them.

    Args:
        graph: a checked graph.
        probabilities: keep that softmax.
        taps: names of layers or blocks whose tensors are outputs too.
        standardize: mean and deviation that the network applies to an RGB input from 0 to 1.
        features: maps that are the outputs instead.

    Raises:
        UsageError: there is no softmax that `probabilities` could keep, or `standardize` does not
            find one RGB input.
    """
    if not features:  # which are of the whole network, its softmax included
        graph = _with_probabilities(graph) if probabilities else take_logits(graph, taps)
    if standardize is not None:
        from compiler.weights.standardize import standardize_input  # on use, for start-up time

        graph = standardize_input(graph, standardize)
    if features:
        from compiler.facts.features import feature_graph

        graph = feature_graph(graph, features)
    return graph


def _with_probabilities(graph: Graph) -> Graph:
    if final_softmax(graph) is None:
        why = "its last layer is no softmax"
        if graph.returns != "last layer":
            why = "its outputs are listed, and each is exactly the tensor that it names"
        raise UsageError(f"`{graph.name}` has no softmax that could be kept or left off: {why}")
    return replace(graph, returns="outputs", spec=graph)
