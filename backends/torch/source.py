"""Graph -> one readable Python file that imports only torch; the live module is this text, run."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence

from backends.torch.ascii_figure import figure_lines
from backends.torch.class_builder import ClassBuilder, Instance, input_arguments
from backends.torch.class_text import ClassText, class_lines
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
    params_of,
    passed_on,
    steady_nodes,
)
from backends.torch.units import Units
from compiler.graph import Graph, Info
from compiler.passes.outputs import take_logits, tap_nodes


def emit_source(graph: Graph, *, taps: Sequence[str] = (), features: bool = False) -> str:
    """Return the Python source of a network: a class per block definition, nothing but torch.

    The `state_dict` names of the model are the node names of the graph. `forward` returns the
    outputs after `take_logits`; where that took a softmax off, a method `probabilities` applies it.
    Outputs that are for training only come beside the others in a NamedTuple while the model
    trains.

    Constructors take a parameter where the class follows it, whatever value the spec accepts:
    where every use is written as a formula. What else decided about the text is a number in it. A
    block whose `when` reads its parameters has a class for each variant, which refuses arguments
    that make another one.

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
    fixed: dict[str, frozenset[str]] = {}
    while True:
        writer = _Writer(graph, taps, features, fixed)
        text = writer.write()
        if not writer.found:
            return text
        for scope, names in writer.found.items():
            fixed[scope] = fixed.get(scope, frozenset()) | names


class _Writer:
    """Writes classes on demand, each text once.

    `fixed` has for each scope the constructor arguments that are numbers in its class. What else
    turns out to be one is `found`; the text is right, and final, when there is nothing.
    """

    def __init__(
        self,
        graph: Graph,
        taps: Sequence[str],
        features: bool,
        fixed: Mapping[str, frozenset[str]],
    ) -> None:
        self.fixed = fixed
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

    def write(self) -> str:
        """Return the file."""
        graph = self.graph
        scope = build_scopes(graph, self.network.returned)
        self.scopes = {s.name: s for s in scope.all_scopes()}
        name = self.free_name(class_name(graph.name))
        builder = network_frame(self, graph, scope, self._fixed(scope))
        builder.build()
        builder.formulas.conclude()
        doc = docstring(graph.title or graph.name, graph.info, "", [], 1)
        outputs = self.free_name(f"{name}Outputs", hidden_by=_steps(graph))
        network = NetworkClass(self.network, name, outputs, doc, builder)
        self._settle(builder)
        units = self.units.found.values()
        file = File(graph, network.lines(), network.main(), self.classes, self.helpers, units)
        return assemble(file)

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
        title = definition.title if definition else f"Part of {scope.name.rpartition('.')[0]}"
        info = definition.info if definition else Info()
        figure = figure_lines(self.graph, scope.region, 92)
        doc = docstring(title or str(scope.region.definition), info, info.doc, figure, 1)
        text = class_lines(self.graph, builder, scope, doc)
        # Copies of an anonymous scope, `body.0` and `body.1`, are one class where they agree.
        base = class_name(definition.name if definition else scope.name.rstrip(".0123456789"))
        name = self._register(base, text)
        self._settle(builder)
        formulas = builder.formulas
        return Instance(
            name,
            text.arguments,
            text.defaults,
            tuple(formulas.inputs),
            {n: formulas.channels[n] for n in scope.exports},
            formulas.keys,
            formulas.trace,
        )

    def _fixed(self, scope: ModuleScope) -> frozenset[str]:
        return self.fixed.get(scope.name, frozenset())

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
            arguments = arguments_of(region.arguments, params_of(self.graph, region), fixed)
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


def _steps(graph: Graph) -> set[str]:
    """Return the steps of all names: what variables of a forward pass are called after."""
    return {step for name in (*graph.nodes, *graph.regions) for step in name.split(".")}


def _arguments_of(graph: Graph) -> Iterator[str]:
    """Yield the constructor arguments of all classes, which would hide a class of their name."""
    for params in (graph.params, *(d.params for d in graph.definitions.values())):
        yield from (variable(p.name) for p in params)
