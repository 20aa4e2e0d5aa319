"""One emitted class: its constructor arguments, its layers, and the lines of its forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby, zip_longest
from typing import Protocol

from backends.torch.docs import unused, variable
from backends.torch.expressions import Call, Code, Copies, Listing, LocalVariable, call
from backends.torch.formulas import Formulas
from backends.torch.forward import TRUNK, ForwardBody, Line, one_line
from backends.torch.node_attributes import NodeAttributes, activation_text
from backends.torch.ops import function, has_function, maker, module
from backends.torch.scopes import ModuleScope, local_name
from backends.torch.symbols import Symbol, number, operation, total
from backends.torch.traced import Given, Trace
from compiler.errors import BackendError
from compiler.facts.copies import settled_from
from compiler.graph import Dim, Graph, Node, Shape, ShapeError, Symbolic, formulas_of, letter
from compiler.graph.symbolic import Floor
from compiler.ops import (
    Activation,
    Add,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Identity,
    Linear,
    Multiply,
    Op,
    Scale,
    Slice,
    activation_of,
)
from compiler.text import Expr, ValueList, name_of
from compiler.text import Value as SpecValue
from compiler.text.module_names import CONTAINER_NAMES


@dataclass(frozen=True, slots=True)
class Instance:
    """A class that was written, as the caller needs it."""

    name: str
    arguments: tuple[str, ...]
    """Constructor arguments under the spec's names, `in_channels` first."""
    defaults: Mapping[str, str]
    """Argument -> the text of its default, where it has one."""
    inputs: tuple[str, ...]
    """The arguments for the channels of every input, in order, read or not."""
    channels: Mapping[str, Symbol]
    """Exported node -> its channels over the constructor arguments."""
    keys: Mapping[str, Given]
    """Constructor argument as Python has it -> as the spec has it."""
    trace: Trace
    """What its text depends on besides its arguments."""
    checks: bool = True
    """It refuses arguments for which its conditions do not hold; if not, whoever makes it does."""


class ModuleWriter(Protocol):
    """Writes the classes and helpers that a frame asks for."""

    graph: Graph
    exported: frozenset[str]
    """Nodes that are outputs of the network."""
    scopes: Mapping[str, ModuleScope]
    """Path -> scope."""
    steady: frozenset[str]
    """Nodes whose height and width some number was computed from."""
    certain: frozenset[str]
    """Nodes that are there whatever a `when` comes to."""

    def instance(self, scope: ModuleScope, outer: ClassBuilder) -> Instance:
        """Write the class of a scope, or find it written."""

    def helper(self, name: str) -> str:
        """Ask for a helper of the emitted file."""

    def unit(self, scope: ModuleScope, site: NodeAttributes) -> Code:
        """Return the constructor of a convolution with its norm and activation."""


@dataclass(slots=True)
class ClassBuilder:
    """A class in the making."""

    writer: ModuleWriter
    scope: ModuleScope
    formulas: Formulas
    body: ForwardBody
    fields: list[tuple[str, Code]] = field(default_factory=list)
    stored: dict[str, str] = field(default_factory=dict)
    """Argument -> the attribute that keeps it for the forward pass."""
    flags: dict[str, str] = field(default_factory=dict)
    """Attribute -> the condition that it keeps for the forward pass."""
    paths: dict[str, str] = field(default_factory=dict)
    """Node or scope -> how forward reaches its module."""
    enclosing: dict[str, str] = field(default_factory=dict)
    """Node or scope -> its enclosing scope, of the whole network; filled on use."""

    def learn_inputs(self, outer: ClassBuilder) -> None:
        """Make the channels of every input an argument."""
        names = input_arguments(self.writer.graph, self.scope)
        params = self.formulas.names.all
        params |= self.scope.region.names.keys()
        arguments = {n for name in params for n in (name, parameter_name(name))}
        for node, name in zip(self.scope.inputs, names, strict=True):
            text = unused("in_channels" if name == TRUNK else f"{name}_channels", arguments)
            self.formulas.learn_input(node, text, outer.channels_of(node).value)
        self.formulas.learn_names(self.scope.region)

    def build(self) -> None:
        """Write all layers and lines."""
        for item in self.scope.items:
            code = self.place(item, (local_name(item.name, self.scope.name),), TRUNK)
            if code is not None:
                self.fields.append((local_name(item.name, self.scope.name), code))
        if self.scope.region.kind in ("block", "network"):
            self.formulas.rely_on(self.scope.region)

    def place(self, item: Node | ModuleScope, path: tuple[str, ...], trunk: str) -> Code | None:
        """Write the lines of an item; return its constructor if it has a module."""
        if isinstance(item, Node):
            return self._place_node(item, path, trunk)
        twin = self._twin(item)
        if twin is not None:
            self._learn_from_twin(item)
            self._add_call(item, twin, path, trunk)
            return None
        if item.is_callable:
            code = self.construct(item)
            self.paths[item.name] = accessor(path)
            self._add_call(item, accessor(path), path, trunk)
            return code
        return self._place_parts(item, path, trunk)

    def _place_parts(self, scope: ModuleScope, path: tuple[str, ...], trunk: str) -> Code | None:
        """Write the lines of a group or list one by one."""
        flow = scope.local if len(path) == 1 or trunk == TRUNK else f"{trunk}_{scope.local}"
        flow = TRUNK if scope.region.kind == "repeat" else flow
        parts: list[tuple[str, Code]] = []
        names, region = self.formulas.names, scope.region
        if region.kind == "block":  # its expressions speak of its own parameters
            self.formulas.names = self.formulas.translated(region)
        for item in scope.items:
            local = local_name(item.name, scope.name)
            code = self.place(item, (*path, local), flow)
            if code is not None:
                parts.append((local, code))
        if region.kind == "block":
            self.formulas.rely_on(region)
        self.formulas.names = names
        if not parts:
            return None
        if scope.form == "list":
            return _list(_numbered(parts))
        is_plain = CONTAINER_NAMES.isdisjoint(local for local, _ in parts)
        return Call(self.writer.helper("group" if is_plain else "Group"), tuple(parts))

    def _place_node(self, node: Node, path: tuple[str, ...], trunk: str) -> Code | None:
        site = NodeAttributes(self, node)
        self.formulas.channels[node.name] = self._output_channels(node)
        operands = [LocalVariable(self.body.resolved(i)) for i in node.inputs]
        if isinstance(node.op, Identity):
            self.body.aliases[node.name] = operands[0].node
            return None
        code: Code | None = None
        if node.share:
            result: Code = Call(self._shared_path(node.share), (("", operands[0]),))
        elif not has_function(node.op) or _needs_arguments(node.op, site):
            code = module(node.op, site)
            self.paths[node.name] = accessor(path)
            result = Call(accessor(path), (("", operands[0]),))
        else:
            result = function(node.op, operands, site)
        if not node.share:
            site.settle()
        self.body.lines.append(
            Line(
                (node.name,),
                result,
                str(node.shape),
                trunk,
                own_name(path, trunk),
                folds=isinstance(node.op, (Scale, Add, Multiply, Slice, Activation))
                and code is None
                and not node.share,
                hosts=isinstance(node.op, (Scale, Add, Multiply, Activation)),
                is_typed=isinstance(result, Call) and code is None and not node.share,
            )
        )
        return code

    def _add_call(self, scope: ModuleScope, reach: str, path: tuple[str, ...], trunk: str) -> None:
        nodes = self.writer.graph.nodes
        shapes = ", ".join(str(nodes[e].shape) for e in scope.exports)
        self.body.lines.append(
            Line(
                tuple(scope.exports),
                Call(
                    reach, tuple(("", LocalVariable(self.body.resolved(i))) for i in scope.inputs)
                ),
                shapes,
                trunk,
                own_name(path, trunk),
                is_branch=scope.region.kind == "branch",
            )
        )

    def _twin(self, scope: ModuleScope) -> str | None:
        """Return how to reach the module whose parameters all of a scope's layers use."""
        nodes = [n for n in scope.nodes() if n.op.parameter_names]
        if not nodes or not all(n.share for n in nodes):
            return None
        rest = len(nodes[0].name) - len(scope.name)
        owner = self.writer.scopes.get(str(nodes[0].share)[:-rest])
        if owner is None or not owner.is_callable or not _are_alike(owner, scope):
            return None
        return self._shared_path(owner.name)

    def _shared_path(self, owner: str) -> str:
        if owner in self.paths:
            return self.paths[owner]
        prefix = self.scope.name
        if prefix and not owner.startswith(f"{prefix}."):
            raise BackendError(
                f"`{prefix}` uses the parameters of `{owner}` outside it, "
                "which the torch backend cannot write; share inside one block"
            )
        return f'self.get_submodule("{self._attribute_path(owner)}")'

    def _attribute_path(self, name: str) -> str:
        """Return the attributes from this class to a layer inside a class inside it."""
        if not self.enclosing:
            for scope in self.writer.scopes.values():
                self.enclosing.update((item.name, scope.name) for item in scope.items)
        steps: list[str] = []
        while name != self.scope.name:
            steps.insert(0, local_name(name, self.enclosing[name]))
            name = self.enclosing[name]
        return ".".join(steps)

    def _learn_channels(self, scope: ModuleScope) -> None:
        for node in scope.nodes():
            self.formulas.channels[node.name] = self._output_channels(node)

    def _learn_from_twin(self, scope: ModuleScope) -> None:
        """Learn the channels of what calls another scope's module: they are that one's."""
        first = next(n for n in scope.nodes() if n.share)
        owner = str(first.share)[: len(scope.name) - len(first.name)]
        for name in scope.exports:
            twin = owner + name[len(scope.name) :]
            known = self.formulas.channels.get(twin)
            value = _channels(self.writer.graph.nodes[name])
            if known is None or known.value != value:
                self.formulas.trace.nodes.add(twin)
                known = number(value)
            self.formulas.channels[name] = known
        self._settle_twin(self.writer.scopes[owner], scope)

    def _settle_twin(self, owner: ModuleScope, user: ModuleScope) -> None:
        """A call computes what the owner's formulas do: others that are equal here may differ."""
        pairs = [(owner.region.traced, user.region.traced)]
        pairs += ((a.traced, b.traced) for a, b in zip(owner.nodes(), user.nodes(), strict=True))
        for words in ({activation_text(traced) for traced in pair} for pair in pairs):
            for word in words if len(words) > 1 else ():
                self.formulas.fix(name_of(word))
        for first, second in (tuple(map(formulas_of, pair)) for pair in pairs):
            for name in first.keys() | second.keys():
                ours, theirs = first.get(name), second.get(name)
                for formula in (ours, theirs) if ours != theirs else ():
                    if formula is not None:
                        self.formulas.fix(formula)

    def construct(self, scope: ModuleScope) -> Code:
        """Return the constructor of a scope that is computed in one call."""
        if scope.form == "class":
            return self._construct_class(scope)
        if scope.form == "unit":
            first = next(scope.nodes())
            site = NodeAttributes(self, first)
            code = self.writer.unit(scope, site)
            site.settle()
            self._learn_channels(scope)
            return code
        parts = []
        for item in scope.items:
            local = local_name(item.name, scope.name)
            parts.append((local, self._construct_item(item)))
        if scope.form == "chain":
            return Call(self.writer.helper("chain"), tuple(parts))
        codes = _numbered(parts)
        runs = _runs(codes)
        times = self._times(scope, runs[-1][1])
        return _sequence(runs, times)

    def _times(self, scope: ModuleScope, last: int) -> str | None:
        """Return how many copies end a repeat as a formula, where they are alike whatever it is.

        The `last` copies are alike here.
        """
        formula = formulas_of(scope.region.traced).get("repeat")
        copies = scope.region.members
        before = len(copies) - last
        alike = settled_from(self.writer.graph, copies)
        end = scope.items[-1]
        if formula is None or len(scope.items) != len(copies) or alike is None or alike > before:
            return None
        entering, leaving = (self.channels_of(n) for n in (_source(end), scope.exports[0]))
        if entering != leaving:
            return None
        symbol = self.formulas.resolve(formula, len(copies))
        if symbol.is_number:
            return None
        self.formulas.followed.add(scope.name)
        rest = operation("-", (symbol, number(before))) if before else symbol
        return self.write(rest)

    def _construct_item(self, item: Node | ModuleScope) -> Code:
        if isinstance(item, ModuleScope):
            return self.construct(item)
        site = NodeAttributes(self, item)
        code = module(item.op, site)
        site.settle()
        self.formulas.channels[item.name] = self._output_channels(item)
        return code

    def _construct_class(self, scope: ModuleScope) -> Code:
        instance = self.writer.instance(scope, self)
        given = {g.key: g for g in instance.keys.values()}
        values = {
            n: self._given(scope, instance, given[n]) for n in instance.arguments if n in given
        }
        self._learn_instance(scope, instance)
        args: list[tuple[str, Code]] = []
        for name, value in values.items():
            text = self.write(value) if isinstance(value, Symbol) else value
            if text != instance.defaults.get(name):
                is_first = (name,) == instance.inputs
                args.append(("" if is_first else parameter_name(name), text))
        return Call(instance.name, tuple(args))

    def _learn_instance(self, scope: ModuleScope, instance: Instance) -> None:
        """Learn what a class inside makes, and what its text depends on."""
        formulas, inner = self.formulas, instance.trace
        for key in inner.found | inner.fixed:
            if key in instance.inputs:
                formulas.fix_channels(scope.inputs[instance.inputs.index(key)])
            elif (formula := self._formula(scope, key)) is not None:
                formulas.fix(formula)
        for node in inner.nodes:
            formulas.fix_channels(node)
        conditions = [*inner.conditions.values(), *inner.inner]
        learnt = (*instance.channels.values(), *inner.counts.values())
        read = {n for s in (*learnt, *(s for c in conditions for s in c.symbols)) for n in s.names}
        symbols = {n: self._given(scope, instance, instance.keys[n]) for n in read}
        known = {n: s for n, s in symbols.items() if isinstance(s, Symbol)}
        for name in scope.exports:
            formulas.channels[name] = instance.channels[name].replaced(known)
        known = {n: formulas.expanded(s) for n, s in known.items()}
        formulas.trace.learn([c.replaced(known) for c in conditions])
        if not instance.checks:
            own = [c.replaced(known) for c in inner.conditions.values()]
            formulas.trace.conditions |= {c.text: c for c in own if any(s.names for s in c.symbols)}
        for count in inner.counts.values():
            formulas.trace.count(count.replaced(known))

    def _formula(self, scope: ModuleScope, name: str) -> Expr | None:
        """Return how an argument of a class inside is written in this one."""
        is_anonymous = scope.region.definition is None
        return name_of(name) if is_anonymous else formulas_of(scope.region.traced).get(name)

    def _given(self, scope: ModuleScope, instance: Instance, wanted: Given) -> Symbol | str:
        """Return what this class passes to the constructor of an inner one."""
        if wanted.key in instance.inputs:
            return self.channels_of(scope.inputs[instance.inputs.index(wanted.key)])
        formula = self._formula(scope, wanted.key)
        if wanted.is_whole:
            assert isinstance(wanted.value, int)
            return self.formulas.resolve(formula, wanted.value)
        if isinstance(wanted.value, ValueList):
            entries = self.formulas.resolve_list(formula, wanted.value)
            if entries is not None:
                return entries
        if isinstance(wanted.value, bool):
            holds = self.formulas.resolve_flag(formula, wanted.value)
            return literal(wanted.value) if holds.is_number else holds
        given = self.formulas.alone(formula, wanted.value)
        if given is not None:
            return self.formulas.hand_on(given)
        if formula is not None:
            self.formulas.fix(formula)
        return literal(wanted.value, wanted.kind)

    def write(self, symbol: Symbol) -> str:
        """Return the text of a symbol; note the arguments that it reads, and what it calls."""
        for helper in self.formulas.expanded(symbol).helpers:
            self.writer.helper(helper)
        return self.formulas.write(symbol)

    def count(self, node: Node, symbol: Symbol) -> None:
        """Note a number that a spec accepts from 1 on only, where the node is sure to be there."""
        if node.name in self.writer.certain:
            self.formulas.trace.count(self.formulas.expanded(symbol))

    def channels_of(self, node: str) -> Symbol:
        """Return how the channels of a tensor are written here."""
        return self.formulas.channels[node]

    def _output_channels(self, node: Node) -> Symbol:
        op, inputs = node.op, [self.channels_of(i) for i in node.inputs]
        value = _channels(node)
        if value == OPEN:
            return number(value)
        if isinstance(op, Conv2d | ConvTranspose2d):
            return self.formulas.resolve(node.formula("out_channels"), op.out_channels)
        if isinstance(op, Linear):
            return self.formulas.resolve(node.formula("out_features"), op.out_features)
        if isinstance(op, Concat):
            return total(inputs)
        if isinstance(op, Slice):
            start, stop = (
                self.formulas.resolve(node.formula(part), number)
                for part, number in (("start", op.start), ("stop", op.stop))
            )
            return operation("-", (stop, start)) if op.start else stop
        symbol = self._plainest(inputs, value)
        if isinstance(op, Flatten) and symbol.value != value:
            return operation("*", (symbol, number(value // symbol.value)))
        made = _channels_from(self.writer.graph, node, symbol)
        if made is not None and made.value == value:
            return made
        self.formulas.fix_symbol(symbol)
        return number(value)

    def _plainest(self, inputs: list[Symbol], value: int) -> Symbol:
        """Return the channels that all operands have, rather not as those that come in."""
        alike = [symbol for symbol in inputs if symbol.value == value]
        own = (s for s in alike if s.names and s.names.isdisjoint(self.formulas.inputs))
        return next(own, inputs[0] if inputs else number(value))


def _needs_arguments(op: Op, site: NodeAttributes) -> bool:
    """True for what is said over arguments, which the forward pass has not."""
    if isinstance(op, Activation):
        return bool(site.activation())
    return isinstance(op, Slice) and (site.follows("start") or site.follows("stop"))


OPEN = 0
"""Channels of a flattened map that is left open; nothing that is written reads them."""


def _channels(node: Node) -> int:
    return value if isinstance(value := node.shape.channels, int) else OPEN


def _channels_from(graph: Graph, node: Node, symbol: Symbol) -> Symbol | None:
    """Return the channels that leave a node over those that come in: as many, half of them.

    None where they depend on more than that.
    """
    if node.op.keeps_shape or not node.inputs:
        return symbol
    shapes = [Shape((letter("C"), *shape.grid)) for shape in graph.input_shapes(node)]
    try:
        made = node.op.infer_shape(*shapes).channels
    except ShapeError:
        return None
    return _in_place_of_letter(made, symbol)


def _in_place_of_letter(size: Dim, symbol: Symbol) -> Symbol | None:
    """Return a formula of one letter with a symbol in its place; None for a sum or a product."""
    if isinstance(size, int):
        return number(size)
    if not isinstance(size, Symbolic) or len(size.terms) != 1 or len(size.terms[0][0]) != 1:
        return None
    (((atom,), factor),) = size.terms
    made: Symbol | None = symbol
    if isinstance(atom, Floor):
        inner = _in_place_of_letter(atom.inner, symbol)
        made = inner and operation("//", (inner, number(atom.divisor)))
    return made if made is None or factor == 1 else operation("*", (made, number(factor)))


def _are_alike(owner: ModuleScope, user: ModuleScope) -> bool:
    """True when a call of `owner` computes what `user` does: the same layers, wired alike."""
    cut, rest = len(owner.name), len(user.name)
    same_ends = [n[cut:] for n in owner.exports] == [n[rest:] for n in user.exports]
    if not same_ends or len(owner.inputs) != len(user.inputs):
        return False
    twins = dict(zip(user.inputs, owner.inputs, strict=True))
    for twin, node in zip_longest(owner.nodes(), user.nodes()):
        if twin is None or node is None or twin.name[cut:] != node.name[rest:]:
            return False
        if twin.op != node.op or twin.inputs != tuple(twins.get(i) for i in node.inputs):
            return False
        if node.op.parameter_names and node.share != (twin.share or twin.name):
            return False
        twins[node.name] = twin.name
    return True


def own_name(path: tuple[str, ...], trunk: str) -> str:
    """Return the variable for a layer beside the flow: `short_wide`, `d_0`, `mixed_3a_pool`."""
    if trunk == TRUNK:
        return "_".join(path[-2:]) if path[-1].isdigit() else path[-1]
    return f"{trunk}_{path[-1]}"


def accessor(path: tuple[str, ...]) -> str:
    """Return how forward reaches a module: `self.stem`, `self.short["wide"]`, `self.a[0]`."""
    if len(path) == 1:
        return f"self.{path[0]}"
    if len(path) == 2:
        return f"self.{path[0]}[{path[1]}]" if path[1].isdigit() else f'self.{path[0]}["{path[1]}"]'
    return f'self.get_submodule("{".".join(path)}")'


def input_arguments(graph: Graph, scope: ModuleScope) -> list[str]:
    """Return the names of a class's forward arguments."""
    if len(scope.inputs) == 1:
        return [TRUNK]
    definition = graph.definitions.get(scope.region.definition or "")
    if definition is not None and len(definition.inputs) == len(scope.inputs):
        return [variable(n) for n in definition.inputs]
    return [f"x{i}" for i in range(1, len(scope.inputs) + 1)]


def parameter_name(name: str) -> str:
    """Return a spec's parameter as a Python argument."""
    return variable(name)


def literal(value: SpecValue, kind: str = "") -> str:
    """Return a parameter's value as Python: 0.17, (1, 7), nn.ReLU; a list is a tuple too."""
    if kind == "activation":
        return maker(activation_of(str(value)))
    if isinstance(value, ValueList):
        return f"({', '.join(map(literal, value))}{',' * (len(value) == 1)})"
    if isinstance(value, Fraction):
        return repr(float(value))
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _numbered(parts: list[tuple[str, Code]]) -> list[Code]:
    """Return copies by number; one that computes nothing, or is not built, passes its input on."""
    codes = {int(local): code for local, code in parts}
    return [codes.get(number, "nn.Identity()") for number in range(max(codes) + 1)]


def _list(codes: list[Code]) -> Code:
    runs = _runs(codes)
    if len(runs) == 1 and runs[0][1] > 1:
        return call("nn.ModuleList", Copies(runs[0][0], str(runs[0][1]), "[", "]"))
    return call("nn.ModuleList", Listing(tuple(codes)))


def _sequence(runs: list[tuple[Code, int]], times: str | None = None) -> Code:
    """Return copies in a row; `times` is the number of the last ones where that is a formula."""
    parts = [code if count == 1 else Copies(code, str(count)) for code, count in runs]
    if times is not None:
        parts[-1] = Copies(runs[-1][0], times)
    return call("nn.Sequential", *parts)


def _source(item: Node | ModuleScope) -> str:
    """Return the tensor that the copy of a layer reads."""
    return item.inputs[0]


def _runs(codes: list[Code]) -> list[tuple[Code, int]]:
    """Return runs of equal adjacent items, each once with its count."""
    return [(group[0], len(group)) for group in (list(g) for _, g in groupby(codes, key=one_line))]
