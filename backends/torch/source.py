"""Graph -> one readable Python file that imports only torch; the live module is this text, run."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from backends.torch.ascii_figure import figure_lines
from backends.torch.class_builder import ClassBuilder, Instance, input_arguments
from backends.torch.class_text import ClassText, class_lines, defaults_of
from backends.torch.docs import GLOBAL, class_name, docstring, variable
from backends.torch.expressions import Code
from backends.torch.file import File, assemble
from backends.torch.formulas import Formulas
from backends.torch.forward import ForwardBody
from backends.torch.network import NetworkClass, network_frame, prepare
from backends.torch.node_attributes import NodeAttributes
from backends.torch.scopes import ModuleScope, build_scopes
from backends.torch.traced import (
    Trace,
    arguments_of,
    certain_nodes,
    differing,
    is_argument,
    is_varied,
    params_of,
    passed_on,
    steady_nodes,
)
from backends.torch.units import Units
from backends.torch.variants import merged
from compiler.graph import Definition, Graph, Info, Region
from compiler.passes.outputs import take_logits, tap_nodes


def emit_source(graph: Graph, *, taps: Sequence[str] = (), features: bool = False) -> str:
    """Return the Python source of a network: a class per block definition, nothing but torch.

    The `state_dict` names of the model are the node names of the graph. `forward` returns the
    outputs after `take_logits`; where that took a softmax off, a method `probabilities` applies it.
    Outputs that are for training only come beside the others in a NamedTuple while the model
    trains.

    Constructors take a parameter where the class follows it, whatever value the spec accepts:
    where every use is written as a formula. What else decided about the text is a number in it, or
    a word. A block whose `when` reads its parameters is one class that decides by the same
    condition; where its instances do not fit into one, each class refuses arguments that make
    another one. Where instances differ in activations, or in what is true or false, their class
    takes these as well.

    Args:
        graph: a checked graph.
        taps: names of layers or blocks whose tensors `forward` returns as well, as
            `(output, {name: tensor})`.
        features: return only the tapped tensors, as a list, and leave out what they do not need.

    Raises:
        BackendError: the graph shares parameters in a way that straight calls cannot express.
        UsageError: a tap names nothing.
    """
    graph = graph if features else take_logits(graph, taps)
    varied: dict[str, frozenset[str]] = {}
    best = _emit(graph, taps, features, varied)
    for block, names in differing(graph).items():
        for choice in dict.fromkeys((names, *(frozenset((name,)) for name in names))):
            tried = _emit(graph, taps, features, {**varied, block: choice})
            if tried.classes_of(block) < best.classes_of(block):
                best, varied = tried, {**varied, block: choice}
                break
    return best.text


def _emit(
    graph: Graph, taps: Sequence[str], features: bool, varied: Mapping[str, frozenset[str]]
) -> _Writer:
    """Return what has written a network, when all that its classes take is known."""
    fixed: dict[str, frozenset[str]] = {}
    whole: dict[str, Whole] = {}
    refused: set[str] = set()
    while True:
        writer = _Writer(graph, taps, features, fixed, whole, varied, refused)
        writer.write()
        if (known := {**whole, **writer.merged}) != whole:
            whole = known  # `fixed` stays: the same numbers would be found again
        elif writer.refused:
            refused |= writer.refused
            whole, fixed = {k: v for k, v in whole.items() if k not in refused}, {}
        elif writer.found:
            for scope, names in writer.found.items():
                fixed[scope] = fixed.get(scope, frozenset()) | names
        elif more := {k: v for k, v in writer.in_variants().items() if k not in refused}:
            whole, fixed = {**whole, **more}, {}  # what only some variants rely on is free again
        else:
            return writer


Arguments = tuple[str, ...]
"""Names of a constructor's arguments."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A block whose instances are one class."""

    arguments: Arguments
    released: frozenset[str] = frozenset()
    """Conditions that its class decides itself: whoever makes an instance need not hold them."""


class _Writer:
    """Writes classes on demand, each text once.

    `fixed` has for each scope the constructor arguments that are numbers in its class. What else
    turns out to be one is `found`; the text is right, and final, when there is nothing. `whole`
    has the blocks whose instances are one class, with its arguments: it is written when all are
    known. Blocks for which that fails are `refused`. `varied` has for each block the words, and
    what is true or false, that its class takes as arguments; those that are `split` may be several
    classes, by the layers that they have.
    """

    def __init__(
        self,
        graph: Graph,
        taps: Sequence[str],
        features: bool,
        fixed: Mapping[str, frozenset[str]],
        whole: Mapping[str, Whole],
        varied: Mapping[str, frozenset[str]],
        split: Container[str],
    ) -> None:
        self.text = ""
        self.fixed = fixed
        self.varied = varied
        self.split = split
        self.whole = whole
        self.merged: dict[str, Whole] = {}
        """The same, as this text has shown it to be."""
        self.refused: set[str] = set()
        self.instances: dict[str, list[ClassBuilder]] = {}
        """Block that is one class -> its instances."""
        self.found: dict[str, frozenset[str]] = {}
        self.network = prepare(graph, tap_nodes(graph, taps), features)
        self.graph = self.network.graph
        self.exported = frozenset(self.network.returned)
        self.classes: list[ClassText] = []
        self.helpers: set[str] = set()
        self.used = {*GLOBAL, *_arguments_of(self.graph)}
        self.units = Units(self.free_name)
        self.scopes: Mapping[str, ModuleScope] = {}
        self.steady = steady_nodes(self.graph)
        self.certain = certain_nodes(self.graph)

    def write(self) -> None:
        """Write the file."""
        graph = self.graph
        scope = build_scopes(graph, self.network.returned)
        self.scopes = {s.name: s for s in scope.all_scopes()}
        name = self.free_name(class_name(graph.name))
        builder = network_frame(self, graph, scope, self._fixed(scope))
        builder.build()
        self._merge()
        builder.formulas.conclude()
        doc = docstring(graph.title or graph.name, graph.info, "", [], 1)
        outputs = self.free_name(f"{name}Outputs", hidden_by=_steps(graph))
        network = NetworkClass(self.network, name, outputs, doc, builder)
        self._settle(builder)
        units = self.units.found.values()
        file = File(graph, network.lines(), network.main(), self.classes, self.helpers, units)
        self.text = assemble(file)

    def classes_of(self, block: str) -> int:
        """Return how many classes a block is."""
        return sum(text.key.partition(" ")[0] == block for text in self.classes)

    def free_name(self, base: str, hidden_by: Container[str] = ()) -> str:
        """Reserve and return a class name that is free and that no variable shadows."""
        name, count = base, 1
        while name in self.used or name in hidden_by:
            count += 1
            name = f"{base}{'V' if base[-1].isdigit() else ''}{count}"
        self.used.add(name)
        return name

    def helper(self, name: str) -> str:
        """Ask for a helper of the emitted file."""
        self.helpers.add(name)
        return name

    def unit(self, scope: ModuleScope, site: NodeAttributes) -> Code:
        """Return the constructor of a convolution with its norm and activation."""
        return self.units.construct(scope, site)

    def instance(self, scope: ModuleScope, outer: ClassBuilder) -> Instance:
        """Write the class of a scope, or find it written by an earlier instance."""
        builder = self._frame(scope, outer)
        builder.build()
        definition = self.graph.definitions.get(scope.region.definition or "")
        key = self._key(builder)
        if definition is not None and key in self.whole:
            return self._instance_of_whole(definition, key, builder)
        text = class_lines(self.graph, builder, scope, self._doc(scope.region))
        text.key = key
        # Copies of an anonymous scope, `body.0` and `body.1`, are one class where they agree.
        base = class_name(definition.name if definition else scope.name.rstrip(".0123456789"))
        name = self._register(base, text)
        self._settle(builder)
        return _made(name, text.arguments, text.defaults, builder)

    def _key(self, builder: ClassBuilder) -> str:
        """Return a block with what its class cannot vary: words, true and false, its ends.

        Taps make a class return more than one tensor. Where the instances of a block do not fit
        into one class, those with the same layers may.
        """
        scope, region = builder.scope, builder.scope.region
        types = {p.name: p.type for p in params_of(self.graph, region)}
        varied = self._varied(region)
        words = [
            f"{name}={value}"
            for name, value in region.arguments.items()
            if not is_argument(types.get(name, ""), value)
            and not (name in varied and is_varied(types[name], value))
        ]
        ends = f"{len(scope.inputs)} -> {len(scope.exports)}"
        key = " ".join([str(region.definition), *words, ends])
        return " ".join([key, *(name for name, _ in builder.fields)]) if key in self.split else key

    def in_variants(self) -> dict[str, Whole]:
        """Return the blocks that have several classes, with the arguments of all of them."""
        of: dict[str, list[ClassText]] = {}
        for text in self.classes:
            of.setdefault(text.key, []).append(text)
        out: dict[str, Whole] = {}
        for key, texts in of.items():
            definition = self.graph.definitions.get(key.partition(" ")[0])
            if len(texts) > 1 and definition is not None:
                given = dict.fromkeys(name for text in texts for name in text.arguments)
                declared = [p.name for p in definition.params]
                channels = [name for name in given if name not in declared]
                out[key] = Whole((*channels, *(n for n in declared if n in given)))
        return out

    def _instance_of_whole(
        self, definition: Definition, key: str, builder: ClassBuilder
    ) -> Instance:
        """Return an instance of a block whose class is written when all instances are known."""
        if key not in self.instances:  # its place in the file
            text = ClassText([], [], base=class_name(definition.name), key=key)
            text.name = self.free_name(text.base)
            self.classes.append(text)
        self.instances.setdefault(key, []).append(builder)
        self._settle(builder)
        known, trace = self.whole[key], builder.formulas.trace
        kept = {t: c for t, c in trace.conditions.items() if t not in known.released}
        defaults = defaults_of(definition, known.arguments)
        made = _made(self._class_of(key).name, known.arguments, defaults, builder)
        return replace(made, trace=replace(trace, conditions=kept), checks=False)

    def _class_of(self, key: str) -> ClassText:
        return next(text for text in self.classes if text.key == key)

    def _merge(self) -> None:
        """Write the classes of blocks whose instances are one."""
        for key, builders in self.instances.items():
            found = merged(self.graph, builders)
            if found is None:
                self.refused.add(key)
                continue
            builder, released = found
            region = builder.scope.region
            text = class_lines(self.graph, builder, builder.scope, self._doc(region))
            self.merged[key] = Whole(text.arguments, released)
            place = self._class_of(key)
            place.doc, place.rows, place.arguments = text.doc, text.rows, text.arguments

    def _doc(self, region: Region) -> list[str]:
        """Return the docstring of a block's class."""
        definition = self.graph.definitions.get(region.definition or "")
        title = definition.title if definition else f"Part of {region.name.rpartition('.')[0]}"
        info = definition.info if definition else Info()
        figure = figure_lines(self.graph, region, 92)
        return docstring(title or str(region.definition), info, info.doc, figure, 1)

    def _fixed(self, scope: ModuleScope) -> frozenset[str]:
        return self.fixed.get(scope.name, frozenset())

    def _varied(self, region: Region) -> frozenset[str]:
        return self.varied.get(region.definition or "", frozenset())

    def _settle(self, builder: ClassBuilder) -> None:
        """Note the arguments that a class offers and does not follow."""
        offered = builder.formulas.trace.found & builder.formulas.used.keys()
        if offered:
            self.found[builder.scope.name] = frozenset(offered)

    def _frame(self, scope: ModuleScope, outer: ClassBuilder) -> ClassBuilder:
        region, fixed = scope.region, self._fixed(scope)
        if region.definition is None:
            arguments = passed_on(outer.formulas.names, fixed)
        else:
            params, varied = params_of(self.graph, region), self._varied(region)
            arguments = arguments_of(region.arguments, params, fixed, varied)
        names = input_arguments(self.graph, scope)
        inputs = dict(zip(scope.inputs, names, strict=True))
        formulas = Formulas(self.graph, arguments, Trace(fixed))
        builder = ClassBuilder(self, scope, formulas, ForwardBody(inputs, tuple(scope.exports)))
        builder.learn_inputs(outer)
        return builder

    def _register(self, base: str, text: ClassText) -> str:
        """Return the name of a class with this text: one for all instances that agree."""
        for other in self.classes:
            if other.base == base and other.code == text.code:
                other.merge_comments(text)
                return other.name
        text.base, text.name = base, self.free_name(base)
        self.classes.append(text)
        return text.name


def _made(
    name: str, arguments: Arguments, defaults: Mapping[str, str], builder: ClassBuilder
) -> Instance:
    formulas = builder.formulas
    return Instance(
        name,
        arguments,
        defaults,
        tuple(formulas.inputs),
        {n: formulas.expanded(formulas.channels[n]) for n in builder.scope.exports},
        formulas.keys,
        formulas.trace,
    )


def _steps(graph: Graph) -> set[str]:
    """Return the steps of all names: what variables of a forward pass are called after."""
    return {step for name in (*graph.nodes, *graph.regions) for step in name.split(".")}


def _arguments_of(graph: Graph) -> Iterator[str]:
    """Yield the arguments and variables of all constructors, which would hide a class."""
    for params in (graph.params, *(d.params for d in graph.definitions.values())):
        yield from (variable(p.name) for p in params)
    for region in graph.regions.values():
        yield from map(variable, region.names)
