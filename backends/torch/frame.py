"""One emitted class: its constructor arguments, its layers, and the lines of its forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby, zip_longest
from typing import Protocol

from backends.torch.docs import unused, variable
from backends.torch.forward import TRUNK, Body, Line, one_line
from backends.torch.layout import Call, Code, Copies, Joined, Listing, Value, call
from backends.torch.ops import MODULES, function, module
from backends.torch.scopes import Scope, local_name
from backends.torch.symbols import Symbol, argument, from_term, number, total
from compiler.errors import BackendError
from compiler.expr import Expr
from compiler.expr import Value as SpecValue
from compiler.graph import Graph, Node
from compiler.module_names import CONTAINER_NAMES, MODULE_NAMES
from compiler.ops import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv2d,
    Identity,
    Linear,
    Multiply,
    Scale,
    Slice,
)
from compiler.shapes import Pair


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


class Writer(Protocol):
    """Writes the classes and helpers that a frame asks for."""

    graph: Graph
    exported: frozenset[str]
    """Nodes that leave the network."""
    scopes: Mapping[str, Scope]
    """Path -> scope."""

    def instance(self, scope: Scope, outer: Frame) -> Instance:
        """Write the class of a scope, or find it written."""

    def helper(self, name: str) -> str:
        """Ask for a helper of the emitted file."""

    def unit(self, scope: Scope, site: NodeSite) -> Code:
        """Return the constructor of a convolution with its norm and activation."""


@dataclass(slots=True)
class Frame:
    """A class in the making. `symbols` and `plain` are what its arguments are worth here."""

    writer: Writer
    scope: Scope
    symbols: dict[str, Symbol]
    """Spec name -> whole-number argument (`in.channels` and `index` among them)."""
    plain: dict[str, SpecValue]
    """Spec name -> any other argument."""
    body: Body
    channels: dict[str, Symbol] = field(default_factory=dict)
    """Node -> how its channels are written here."""
    fields: list[tuple[str, Code]] = field(default_factory=list)
    used: dict[str, SpecValue] = field(default_factory=dict)
    """Constructor argument -> its value, for those that the class reads."""
    stored: dict[str, str] = field(default_factory=dict)
    """Argument -> the attribute that keeps it for the forward pass."""
    paths: dict[str, str] = field(default_factory=dict)
    """Node or scope -> how forward reaches its module."""
    input_channels: dict[str, Symbol] = field(default_factory=dict)
    """Arguments that say how many channels come in."""
    around: dict[str, str] = field(default_factory=dict)
    """Node or scope -> the scope that it stands in, of the whole network; filled on use."""
    has_formulas: bool = False
    """Some number is computed from the channels that come in."""

    def learn_inputs(self, outer: Frame) -> None:
        """Make the channels of every input an argument."""
        names = input_arguments(self.writer.graph, self.scope)
        arguments = {n for name in self.plain for n in (name, parameter_name(name))}
        for node, name in zip(self.scope.inputs, names, strict=True):
            text = unused("in_channels" if name == TRUNK else f"{name}_channels", arguments)
            symbol = argument(text, outer.channels_of(node).value)
            self.channels[node] = self.input_channels[text] = symbol
            self.symbols[f"{name}.channels"] = symbol
            if self.scope.region.definition is not None:
                self.symbols.setdefault("in.channels", symbol)

    def build(self) -> None:
        """Write all layers and lines."""
        for item in self.scope.items:
            code = self.place(item, (local_name(item.name, self.scope.name),), TRUNK)
            if code is not None:
                self.fields.append((local_name(item.name, self.scope.name), code))

    def place(self, item: Node | Scope, path: tuple[str, ...], trunk: str) -> Code | None:
        """Write the lines of an item; return its constructor if it has a module."""
        if isinstance(item, Node):
            return self._place_node(item, path, trunk)
        twin = self._twin(item)
        if twin is not None:
            self._learn_channels(item)
            self._add_call(item, twin, path, trunk)
            return None
        if item.is_callable:
            code = self.construct(item)
            self.paths[item.name] = accessor(path)
            self._add_call(item, accessor(path), path, trunk)
            return code
        return self._place_parts(item, path, trunk)

    def _place_parts(self, scope: Scope, path: tuple[str, ...], trunk: str) -> Code | None:
        """Write the lines of a group or list one by one."""
        flow = scope.local if len(path) == 1 or trunk == TRUNK else f"{trunk}_{scope.local}"
        flow = TRUNK if scope.region.kind == "repeat" else flow
        parts: list[tuple[str, Code]] = []
        kept = self.symbols, self.plain
        if scope.region.kind == "block":  # its expressions speak of its own parameters
            self.symbols, self.plain = {}, {}
        for item in scope.items:
            local = local_name(item.name, scope.name)
            code = self.place(item, (*path, local), flow)
            if code is not None:
                parts.append((local, code))
        self.symbols, self.plain = kept
        if not parts:
            return None
        if scope.form == "list":
            return _list(_numbered(parts))
        is_plain = CONTAINER_NAMES.isdisjoint(local for local, _ in parts)
        return Call(self.writer.helper("group" if is_plain else "Group"), tuple(parts))

    def _place_node(self, node: Node, path: tuple[str, ...], trunk: str) -> Code | None:
        site = NodeSite(self, node)
        self.channels[node.name] = self._output_channels(node)
        operands = [Value(self.body.resolved(i)) for i in node.inputs]
        if isinstance(node.op, Identity):
            self.body.aliases[node.name] = operands[0].node
            return None
        code: Code | None = None
        if node.share:
            result: Code = Call(self._shared_path(node.share), (("", operands[0]),))
        elif isinstance(node.op, MODULES):
            code = module(node.op, site)
            self.paths[node.name] = accessor(path)
            result = Call(accessor(path), (("", operands[0]),))
        else:
            result = function(node.op, operands, site)
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

    def _add_call(self, scope: Scope, reach: str, path: tuple[str, ...], trunk: str) -> None:
        nodes = self.writer.graph.nodes
        shapes = ", ".join(str(nodes[e].shape) for e in scope.exports)
        self.body.lines.append(
            Line(
                tuple(scope.exports),
                Call(reach, tuple(("", Value(self.body.resolved(i))) for i in scope.inputs)),
                shapes,
                trunk,
                own_name(path, trunk),
                is_branch=scope.region.kind == "branch",
            )
        )

    def _twin(self, scope: Scope) -> str | None:
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
        if not self.around:
            for scope in self.writer.scopes.values():
                self.around.update((item.name, scope.name) for item in scope.items)
        steps: list[str] = []
        while name != self.scope.name:
            steps.insert(0, local_name(name, self.around[name]))
            name = self.around[name]
        return ".".join(steps)

    def _learn_channels(self, scope: Scope) -> None:
        for node in scope.nodes():
            self.channels[node.name] = self._output_channels(node)

    def construct(self, scope: Scope) -> Code:
        """Return the constructor of a scope that is computed in one call."""
        if scope.form == "class":
            return self._construct_class(scope)
        if scope.form == "unit":
            first = next(scope.nodes())
            code = self.writer.unit(scope, NodeSite(self, first))
            self._learn_channels(scope)
            return code
        parts = []
        for item in scope.items:
            local = local_name(item.name, scope.name)
            parts.append((local, self._construct_item(item)))
        if scope.form == "chain":
            return Call(self.writer.helper("chain"), tuple(parts))
        return _sequence(_numbered(parts))

    def _construct_item(self, item: Node | Scope) -> Code:
        if isinstance(item, Scope):
            return self.construct(item)
        code = module(item.op, NodeSite(self, item))
        self.channels[item.name] = self._output_channels(item)
        return code

    def _construct_class(self, scope: Scope) -> Code:
        instance = self.writer.instance(scope, self)
        values = self._arguments_for(scope, instance)
        symbols = {n: v for n, v in values.items() if isinstance(v, Symbol)}
        for name in scope.exports:
            self.channels[name] = instance.channels[name].replaced(symbols)
        args: list[tuple[str, Code]] = []
        for name in instance.arguments:
            value = values[name]
            text = self.write(value) if isinstance(value, Symbol) else value
            if text != instance.defaults.get(name):
                is_first = (name,) == instance.inputs
                args.append(("" if is_first else parameter_name(name), text))
        return Call(instance.name, tuple(args))

    def _arguments_for(self, scope: Scope, instance: Instance) -> dict[str, Symbol | str]:
        """Return what this class passes to the constructor of an inner one."""
        region = scope.region
        out: dict[str, Symbol | str] = {}
        for name in instance.arguments:
            if name in instance.inputs:
                out[name] = self.channels_of(scope.inputs[instance.inputs.index(name)])
            elif region.definition is None:
                out[name] = self._passed_on(name)
            else:
                out[name] = self._argument(region.argument_exprs.get(name), region.arguments[name])
        return out

    def _passed_on(self, name: str) -> Symbol | str:
        """An anonymous scope takes the arguments of the class around it under their own names."""
        if name in self.symbols:
            return self.symbols[name]
        self.used[name] = self.plain[name]
        return parameter_name(name)

    def _argument(self, expr: Expr | None, value: SpecValue) -> Symbol | str:
        if isinstance(value, int) and not isinstance(value, bool):
            return self.resolve(expr, value)
        if expr is not None and expr.root.kind == "name" and self.plain.get(expr.text) == value:
            self.used[expr.text] = value
            return parameter_name(expr.text)
        return literal(value)

    def resolve(self, expr: Expr | None, value: int, previous: str = "") -> Symbol:
        """Return a whole number as its expression says it, or as a number where that cannot be."""
        if expr is None:
            return number(value)

        def lookup(name: str) -> Symbol | None:
            if name == "prev.channels" and previous:
                return self.channels_of(previous)
            return self.symbols.get(name)

        symbol = from_term(expr.root, lookup)
        return symbol if symbol is not None and symbol.value == value else number(value)

    def write(self, symbol: Symbol) -> str:
        """Return the text of a symbol and note the arguments that it reads."""
        if symbol.args and symbol.names & self.input_channels.keys():
            self.has_formulas = True
        for spec_name, own in self.symbols.items():
            if own.kind == "name" and own.name in symbol.names:
                self.used[_argument_key(spec_name, own)] = own.value
        return symbol.text

    def channels_of(self, node: str) -> Symbol:
        """Return how the channels of a tensor are written here."""
        return self.channels[node]

    def _output_channels(self, node: Node) -> Symbol:
        op, inputs = node.op, [self.channels_of(i) for i in node.inputs]
        if isinstance(op, Conv2d):
            return self.resolve(node.exprs.get("out_channels"), op.out_channels, node.inputs[0])
        if isinstance(op, Linear):
            return self.resolve(node.exprs.get("out_features"), op.out_features, node.inputs[0])
        if isinstance(op, Concat):
            return total(inputs)
        value = node.shape.channels
        assert isinstance(value, int), f"{node.name} has {value} channels"
        return inputs[0] if inputs and inputs[0].value == value else number(value)


def _argument_key(spec_name: str, symbol: Symbol) -> str:
    return symbol.name if spec_name.endswith(".channels") else spec_name


@dataclass(slots=True)
class NodeSite:
    """How the numbers of a node are written where it stands (the `Site` of `torch_ops`)."""

    frame: Frame
    node: Node

    @property
    def is_map(self) -> bool:
        """True for a map (C, H, W), False for a vector."""
        return len(self.frame.writer.graph.nodes[self.node.inputs[0]].shape) == 3

    @property
    def is_inplace(self) -> bool:
        """A result that nobody else reads may be overwritten, if it is not the caller's."""
        graph = self.frame.writer.graph
        source = graph.nodes[self.node.inputs[0]]
        fresh = isinstance(source.op, (Conv2d, BatchNorm, Linear))
        is_read_once = len(graph.consumers[source.name]) == 1
        return fresh and is_read_once and source.name not in self.frame.writer.exported

    def channels(self) -> Symbol:
        """Return the channels of the input."""
        symbol = self.frame.channels_of(self.node.inputs[0])
        self.frame.write(symbol)
        return symbol

    def symbol(self, attribute: str, value: int) -> Symbol:
        """Return an attribute that is a count."""
        symbol = self.frame.resolve(self.node.exprs.get(attribute), value, self.node.inputs[0])
        self.frame.write(symbol)
        return symbol

    def pair(self, attribute: str, value: Pair) -> str:
        """Return an attribute that is (height, width)."""
        expr = self.node.exprs.get(attribute)
        if (
            expr is not None
            and expr.root.kind == "name"
            and self.frame.plain.get(expr.text) == value
        ):
            self.frame.used[expr.text] = value
            return parameter_name(expr.text)
        if value[0] == value[1]:
            return self.symbol(attribute, value[0]).text
        return f"({value[0]}, {value[1]})"

    def factor(self, attribute: str, value: float) -> str:
        """Return a number where the constructor reads it."""
        name = self._factor_name(attribute, value)
        return parameter_name(name) if name else repr(value)

    def stored_factor(self, attribute: str, value: float) -> str:
        """Return a number where `forward` reads it: the constructor keeps it."""
        frame, name = self.frame, self._factor_name(attribute, value)
        if not name:
            return repr(value)
        if name not in frame.stored:
            layers = {local_name(i.name, frame.scope.name) for i in frame.scope.items}
            taken = {*MODULE_NAMES, *layers, *frame.stored.values()}
            frame.stored[name] = unused(variable(name), taken)
        return f"self.{frame.stored[name]}"

    def _factor_name(self, attribute: str, value: float) -> str:
        """Return the parameter that a number was written as, or nothing."""
        expr, frame = self.node.exprs.get(attribute), self.frame
        if expr is None or expr.root.kind != "name" or expr.text not in frame.plain:
            return ""
        given = frame.plain[expr.text]
        if not isinstance(given, (int, Fraction)) or float(given) != value:
            return ""
        frame.used[expr.text] = given
        return expr.text

    def helper(self, name: str) -> str:
        """Return the name of a helper function, which the file then defines."""
        return self.frame.writer.helper(name)


def _are_alike(owner: Scope, user: Scope) -> bool:
    """True when a call of `owner` computes what `user` stands for: the same layers, wired alike."""
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


def input_arguments(graph: Graph, scope: Scope) -> list[str]:
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


def symbols_of(
    arguments: Mapping[str, SpecValue],
) -> tuple[dict[str, Symbol], dict[str, SpecValue]]:
    """Return the whole numbers among arguments, and all that have a value."""
    symbols = {
        n: argument(parameter_name(n), v)
        for n, v in arguments.items()
        if isinstance(v, int) and not isinstance(v, bool)
    }
    return symbols, {n: v for n, v in arguments.items() if v is not None}


def literal(value: SpecValue) -> str:
    """Return a parameter's value as Python: 0.17, (1, 7), 'relu'."""
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
        return call("nn.ModuleList", Copies(runs[0][0], runs[0][1], "[", "]"))
    return call("nn.ModuleList", Listing(tuple(codes)))


def _sequence(codes: list[Code]) -> Code:
    parts = [code if count == 1 else Copies(code, count) for code, count in _runs(codes)]
    return call("nn.Sequential", *parts)


def _runs(codes: list[Code]) -> list[tuple[Code, int]]:
    """Return neighbours that are written alike, each once with its count."""
    return [(group[0], len(group)) for group in (list(g) for _, g in groupby(codes, key=one_line))]


__all__ = ["Frame", "Instance", "Joined", "NodeSite", "Writer", "input_arguments", "symbols_of"]
