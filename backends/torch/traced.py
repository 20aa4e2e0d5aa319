"""What the text of a class depends on: arguments that it follows, and what else it was made of.

A constructor offers a parameter only where every use of it is written as a formula. What was
decided otherwise is found while a class is written; it is then written again with a number there.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from backends.torch.conditions import ArgumentCondition
from backends.torch.docs import variable
from backends.torch.symbols import NoFormula, Symbol, argument, flag, number, row, whole_numbers
from compiler.graph import Graph, Parameter, Reach, Region, formulas_of
from compiler.ops import Activation, Flatten, activation_of
from compiler.text import Expr, Value, ValueList

WHOLE = ("int", "channels")
"""Types of parameters that are whole numbers in whatever a spec accepts."""
ARGUMENTS = (*WHOLE, "number", "kernel", "list")
"""Types that torch takes as they are; the others decide which layers there are."""
VARIED = ("bool", "activation")
"""Types that are arguments of a class where the instances of its block differ in them."""


def is_argument(kind: str, value: Value) -> bool:
    """True for a value that torch takes as it is; of paddings those in numbers, not the words."""
    return kind in ARGUMENTS or (kind == "padding" and isinstance(value, int))


@dataclass(frozen=True, slots=True)
class Given:
    """A constructor argument under the spec's name, and what it is here."""

    key: str
    value: Value
    is_whole: bool = False
    """It is a whole number in whatever a spec accepts."""
    kind: str = ""
    """Its type, where that is one of `VARIED`."""


@dataclass(slots=True)
class Arguments:
    """What the names of a spec's expressions are worth inside a class."""

    symbols: dict[str, Symbol] = field(default_factory=dict)
    """Name -> a whole number over the arguments."""
    plain: dict[str, Given] = field(default_factory=dict)
    """Name -> an argument of any type, to be handed on as it is."""
    constants: dict[str, Value] = field(default_factory=dict)
    """Name -> a value that is no argument."""

    @property
    def all(self) -> set[str]:
        """All names."""
        return {*self.symbols, *self.plain, *self.constants}


def params_of(graph: Graph, region: Region) -> tuple[Parameter, ...]:
    """Return the parameters that a block, or the network, declares."""
    definition = graph.definitions.get(region.definition or "")
    return definition.params if definition else graph.params


def is_varied(kind: str, value: Value) -> bool:
    """True for a value that can be an argument of a class: true or false, a function's module.

    `none` is a class of its own, whose layers have other names; so are learned slopes.
    """
    if kind == "activation":
        return value != "none" and isinstance(activation_of(str(value)), Activation)
    return kind == "bool"


def differing(graph: Graph) -> dict[str, frozenset[str]]:
    """Return the parameters of blocks that could be arguments, and differ between instances.

    Blocks inside others come first.
    """
    values: dict[str, dict[str, set[Value]]] = {}
    for region in reversed([*graph.regions.values()]):
        if region.kind != "block" or region.definition not in graph.definitions:
            continue
        of = values.setdefault(str(region.definition), {})
        for param in params_of(graph, region):
            value = region.arguments.get(param.name)
            if param.type in VARIED and is_varied(param.type, value):
                of.setdefault(param.name, set()).add(value)
    found = {block: {n for n, v in of.items() if len(v) > 1} for block, of in values.items()}
    return {block: frozenset(names) for block, names in found.items() if names}


def arguments_of(
    values: Mapping[str, Value],
    params: Iterable[Parameter],
    fixed: Container[str],
    varied: Container[str] = (),
) -> Arguments:
    """Return the parameters of a block or network as arguments of its class, but those `fixed`.

    Those `varied` are arguments though torch knows nothing of them.
    """
    out = Arguments()
    types = {p.name: p.type for p in params}
    for name, value in values.items():
        kind = types.get(name, "")
        if name in varied and name not in fixed and is_varied(kind, value):
            out.plain[name] = Given(name, value, kind=kind)
            if isinstance(value, bool):
                out.symbols[name] = flag(variable(name), value)
        elif name in fixed or not is_argument(kind, value):
            out.constants[name] = value
        elif value is not None:
            # What is 2 and no whole number by its type may be 1.5 for another caller.
            is_whole = kind in (*WHOLE, "padding")
            out.plain[name] = Given(name, value, is_whole)
            if is_whole and isinstance(value, int):
                out.symbols[name] = argument(variable(name), value)
            elif isinstance(value, ValueList):
                with suppress(NoFormula):
                    out.symbols[name] = row(whole_numbers(value), variable(name))
    return out


def passed_on(outer: Arguments, fixed: Container[str]) -> Arguments:
    """Return the arguments of a class that takes those of the enclosing class under their names."""
    out = Arguments(constants=dict(outer.constants))
    for name, symbol in outer.symbols.items():
        is_fixed = symbol.is_number or name in fixed
        value = symbol.value
        if symbol.kind == "row":
            out.symbols[name] = row(symbol.args, "" if is_fixed else variable(name))
        elif symbol.kind == "flag" and not is_fixed:
            out.symbols[name] = flag(variable(name), bool(value))
        else:
            out.symbols[name] = number(value) if is_fixed else argument(variable(name), value)
    for name, given in outer.plain.items():
        if name not in fixed:
            out.plain[name] = replace(given, key=name)
    return out


@dataclass(slots=True)
class Trace:
    """What the text of one class depends on besides the arguments that it follows."""

    fixed: frozenset[str] = frozenset()
    """Arguments that are numbers in this text."""
    found: set[str] = field(default_factory=set)
    """Arguments that should have been numbers."""
    nodes: set[str] = field(default_factory=set)
    """Nodes outside whose channels are numbers in this text."""
    conditions: dict[str, ArgumentCondition] = field(default_factory=dict)
    """Text -> what must hold of the arguments for this to be the class of the block."""
    inner: list[ArgumentCondition] = field(default_factory=list)
    """The same of the classes inside."""
    counts: dict[str, Symbol] = field(default_factory=dict)
    """Text -> a number that is 1 or more in whatever a spec accepts: of layers always there."""

    def learn(self, conditions: Iterable[ArgumentCondition]) -> None:
        """Note what classes inside rely on."""
        self.inner += (c for c in conditions if any(s.names for s in c.symbols))

    def count(self, symbol: Symbol) -> None:
        """Note a number that is 1 or more in whatever a spec accepts."""
        if symbol.names:
            self.counts[symbol.text] = symbol

    @property
    def positive(self) -> set[str]:
        """The arguments that are 1 or more in whatever a spec accepts."""
        out: set[str] = set()
        for symbol in self.counts.values():
            names = [a for a in (symbol, *symbol.args) if a.kind == "name"]
            others = [a for a in symbol.args if a.kind != "name"]
            is_multiple = symbol.kind == "*" and all(a.is_number for a in others)
            if len(names) == 1 and (symbol.kind == "name" or is_multiple):
                out.add(names[0].name)
        return out


def hollow_blocks(graph: Graph, region: Region) -> Iterator[Region]:
    """Yield the blocks inside a region, not those inside them, of which every layer is left out."""
    for member in region.members:
        inner = graph.regions.get(member)
        if inner is None:
            continue
        if inner.kind != "block":
            yield from hollow_blocks(graph, inner)
        elif not graph.nodes_in(member):
            yield inner


def steady_nodes(graph: Graph) -> frozenset[str]:
    """Return the nodes whose height and width some number was computed from."""
    read = {n.inputs[0] for n in graph.nodes.values() if isinstance(n.op, Flatten)}
    read |= {node for formula in _formulas(graph) for node in _grids(formula)} & graph.nodes.keys()
    ends = [
        node.name
        for node in graph.nodes.values()
        if node.inputs and node.op.sees(*graph.input_shapes(node)) is Reach.MAP
    ]
    return frozenset(graph.ancestors(read, ends))


def certain_nodes(graph: Graph) -> frozenset[str]:
    """Return the nodes that are there whatever a `when` comes to."""
    found: set[str] = set()
    stack = [""]
    while stack:
        name = stack.pop()
        if graph.info_of(name).when:
            continue
        if name in graph.regions:
            stack += graph.regions[name].members
        else:
            found.add(name)
    return frozenset(found)


def _formulas(graph: Graph) -> Iterable[Expr]:
    for node in graph.nodes.values():
        yield from formulas_of(node.traced).values()
    for region in graph.regions.values():
        yield from formulas_of(region.traced).values()
        yield from (decision.formula for decision in region.decisions)


def _grids(formula: Expr) -> Iterable[str]:
    """Yield the nodes whose height or width a formula reads."""
    return (n for size, n in formula.sizes.items() if not size.endswith(".channels"))
