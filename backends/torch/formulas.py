"""The formulas of one class over its constructor's arguments, and what cannot be written as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from backends.torch.conditions import ArgumentCondition, from_condition
from backends.torch.docs import variable
from backends.torch.symbols import (
    Lookup,
    NoFormula,
    Symbol,
    argument,
    from_term,
    number,
    row,
    row_from,
    truth_from,
    whole_numbers,
)
from backends.torch.traced import Arguments, Given, Trace, arguments_of, hollow_blocks, params_of
from compiler.graph import Decision, Graph, Region, formulas_of
from compiler.ops import WORD_VALUES
from compiler.text import Expr, ValueList
from compiler.text import Value as SpecValue

Symbols = dict[str, Symbol]


@dataclass(slots=True)
class Formulas:
    """Writes expressions of the spec over the arguments of a class.

    What it cannot write so is a number in the text, and the arguments behind it go into the
    `trace`: they may not be arguments.
    """

    graph: Graph
    names: Arguments
    """What the names of expressions are worth."""
    trace: Trace
    channels: dict[str, Symbol] = field(default_factory=dict)
    """Node -> how its channels are written here."""
    inputs: dict[str, Symbol] = field(default_factory=dict)
    """Arguments that are numbers of input channels."""
    used: dict[str, SpecValue] = field(default_factory=dict)
    """Constructor argument -> its value, for those that the class reads."""
    followed: set[str] = field(default_factory=set)
    """Repeats whose count is a formula in the text."""
    decided: dict[str, ArgumentCondition | None] = field(default_factory=dict)
    """Text of a `when` -> its condition over the arguments, None where layers differ in it."""
    locals: dict[str, Symbol] = field(default_factory=dict)
    """Local variable of the constructor -> its value over the arguments, in order."""
    written: set[str] = field(default_factory=set)
    """The local variables that the text reads."""
    has_sums: bool = False
    """Some number is computed from the channels that come in."""
    keys: dict[str, Given] = field(init=False)
    """Argument as Python has it -> as the spec has it."""

    def __post_init__(self) -> None:
        symbols = self.names.symbols.items()
        others = ("number", "row", "flag")
        whole = (Given(n, s.value, True) for n, s in symbols if s.kind not in others)
        self.keys = {variable(g.key): g for g in (*self.names.plain.values(), *whole)}

    def learn_input(self, node: str, text: str, channels: int) -> None:
        """Make the channels of an input an argument, or a number where the class is written so."""
        is_fixed = text in self.trace.fixed
        symbol = number(channels) if is_fixed else argument(text, channels)
        self.channels[node] = self.inputs[text] = symbol
        self.keys[text] = Given(text, channels, True)

    def learn_names(self, region: Region) -> None:
        """Make the names of a `let` local variables, where they depend on the arguments."""
        for name, decision in region.names.items():
            made = self._resolved(decision)
            if made is None or made.is_number or (made.kind == "row" and not made.names):
                self.names.constants[name] = decision.value
                continue
            text = variable(name)
            self.locals[text] = made
            is_row = made.kind == "row"
            known = row(made.args, text) if is_row else argument(text, made.value)
            self.names.symbols[name] = known

    def _resolved(self, decision: Decision) -> Symbol | None:
        """Return a value over the arguments; None where that is impossible, or it is no number."""
        formula, value = decision.formula, decision.value
        if isinstance(value, ValueList):
            found = self.resolve_list(formula, value)
            if found is not None:
                return found
        elif isinstance(value, bool):
            holds = truth_from(formula.root, self._lookup(formula))
            if holds is not None and holds.value == value:
                return holds
        elif isinstance(value, int):
            return self.resolve(formula, value)
        self.fix(formula)
        return None

    def expanded(self, symbol: Symbol) -> Symbol:
        """Return a symbol over the arguments alone, without local variables."""
        while not symbol.names.isdisjoint(self.locals):
            symbol = symbol.substituted(self.locals)
        return symbol

    def resolve(self, formula: Expr | None, value: int) -> Symbol:
        """Return a whole number as its expression, or as a number where that is impossible."""
        if formula is None:
            return number(value)
        symbol = from_term(formula.root, self._lookup(formula))
        if symbol is None or symbol.value != value:
            self.fix(formula)
            return number(value)
        return symbol

    def resolve_flag(self, formula: Expr | None, value: bool) -> Symbol:
        """Return what is true or false as its condition, or as 1 or 0 where that is impossible."""
        if formula is None:
            return number(int(value))
        symbol = truth_from(formula.root, self._lookup(formula))
        if symbol is None or bool(symbol.value) is not value:
            self.fix(formula)
            return number(int(value))
        return symbol

    def resolve_list(self, formula: Expr | None, value: ValueList) -> Symbol | None:
        """Return a list as its expression, or with its numbers; None where they are not whole."""
        try:
            numbers = row(whole_numbers(value))
        except NoFormula:
            return None
        symbol = None if formula is None else row_from(formula.root, self._lookup(formula))
        if symbol is not None and [a.value for a in symbol.args] == list(value):
            return symbol
        if formula is not None:
            self.fix(formula)
        return numbers

    def alone(self, formula: Expr | None, value: SpecValue) -> Given | None:
        """Return the argument that a formula consists of, None where it is more than that."""
        if formula is None or formula.root.kind != "name":
            return None
        given = self.names.plain.get(formula.root.text)
        return given if given is not None and given.value == value else None

    def number_alone(self, formula: Expr | None, value: float) -> Given | None:
        """Return the argument that a formula consists of, where that is a number of this value."""
        if formula is None or formula.root.kind != "name":
            return None
        given = self.names.plain.get(formula.root.text)
        if given is None or not isinstance(given.value, (int, Fraction)):
            return None
        return given if float(given.value) == value else None

    def follows(self, formula: Expr | None) -> bool:
        """True when a formula reads an argument."""
        if formula is None:
            return False
        if any(name in self.names.plain for name in formula.names):
            return True
        found = (self._lookup(formula)(name) for name in formula.names)
        return any(isinstance(s, Symbol) and s.names for s in found)

    def write(self, symbol: Symbol) -> str:
        """Return the text of a symbol and note the arguments that it reads."""
        if symbol.args and symbol.names & self.inputs.keys():
            self.has_sums = True
        for name in symbol.names:
            if name in self.locals:
                self.written.add(name)
                self.write(self.locals[name])
            else:
                self.used[self.keys[name].key] = self.keys[name].value
        return symbol.text

    def hand_on(self, given: Given) -> str:
        """Return the text of an argument that is read as it is."""
        self.used[given.key] = given.value
        return variable(given.key)

    # -- what is not followed --------------------------------------------------------------------

    def fix(self, formula: Expr) -> None:
        """Note that the text depends on what a formula reads, and does not follow it."""
        for name in formula.names:
            if name in formula.sizes:
                self._fix_size(name, formula.sizes[name])
            elif name in self.names.symbols:
                self.fix_symbol(self.names.symbols[name])
            elif name in self.names.plain:
                self.trace.found.add(self.names.plain[name].key)

    def _fix_size(self, name: str, node: str) -> None:
        # Heights and widths are the same for all arguments: see `steady_nodes`.
        if name.endswith(".channels") or node not in self.graph.nodes:
            self.fix_channels(node)

    def fix_symbol(self, symbol: Symbol) -> None:
        """Note that the text does not follow the arguments in a number."""
        self.trace.found |= {self.keys[name].key for name in self.expanded(symbol).names}

    def fix_channels(self, node: str) -> None:
        """Note that the text does not follow the channels of a tensor."""
        if node in self.channels:
            self.fix_symbol(self.channels[node])
        else:
            self.trace.nodes.add(node)

    def rely_on(self, region: Region) -> None:
        """Note what was decided inside a region by formulas, and in blocks there without layers."""
        self._rely_on_decisions(region)
        for block in hollow_blocks(self.graph, region):
            names = self.names
            self.names = self.translated(block)
            self.rely_on(block)
            self.names = names

    def _rely_on_decisions(self, region: Region) -> None:
        counts = dict(_counts(self.graph, region))
        written = {f for name, f in counts.items() if name in self.followed}
        written -= {f for name, f in counts.items() if name not in self.followed}
        for decision in region.decisions:
            formula, value = decision.formula, decision.value
            if formula in written or self._is_function(formula):
                continue
            condition = from_condition(formula.root, self._over_arguments(formula))
            if condition is None or not isinstance(value, bool):
                self.fix(formula)
            elif any(symbol.names for symbol in condition.symbols):
                known = self.decided.setdefault(formula.text, condition)
                if known is None or known.text != condition.text:
                    self.decided[formula.text] = None
                holds = condition if value else condition.opposite
                self.trace.conditions[holds.text] = holds

    def _is_function(self, formula: Expr) -> bool:
        """True for an activation that is an argument: each layer with it says that it follows."""
        given = self.names.plain.get(formula.root.text) if formula.root.kind == "name" else None
        return given is not None and given.kind == "activation"

    def conclude(self) -> None:
        """Decide for a network what its classes rely on, and what nothing in it determines."""
        trace = self.trace
        for condition in (*trace.conditions.values(), *trace.inner):
            if not condition.always_holds(trace.positive | self.inputs.keys()):
                for symbol in condition.symbols:
                    self.fix_symbol(symbol)
        if trace.nodes:
            trace.found |= {given.key for given in self.keys.values()}
        if self.has_sums:  # numbers read better than sums deep inside, as in a DenseNet
            trace.found |= self.inputs.keys()

    def translated(self, region: Region) -> Arguments:
        """Return the parameters of a block that has no class over the arguments of this one."""
        params = arguments_of(region.arguments, params_of(self.graph, region), ())
        formulas = formulas_of(region.traced)
        constants = dict(params.constants)
        written = {name: formulas[name] for name in constants if name in formulas}
        symbols = self._flags(written, constants)
        passed_on = {name: self.alone(f, constants[name]) for name, f in written.items()}
        plain = {name: g for name, g in passed_on.items() if g is not None and g.kind}
        for name, given in params.plain.items():
            formula, value = formulas.get(name), given.value
            if given.is_whole and isinstance(value, int):
                symbols[name] = self.resolve(formula, value)
            elif isinstance(value, ValueList) and (found := self.resolve_list(formula, value)):
                symbols[name] = found
            passed = self.alone(formula, value)
            if passed is not None:
                plain[name] = passed
            elif name not in symbols:
                if formula is not None:
                    self.fix(formula)
                constants[name] = value
        out, outer = Arguments(symbols, plain, constants), self.names
        self.names = out
        for name, decision in region.names.items():
            made = self._resolved(decision)
            if made is None:
                constants[name] = decision.value
            else:
                symbols[name] = made
        self.names = outer
        return out

    def _flags(self, written: Mapping[str, Expr], values: Mapping[str, SpecValue]) -> Symbols:
        """Return what is true or false over the arguments, of what is written as formulas."""
        out: Symbols = {}
        for name, formula in written.items():
            holds = truth_from(formula.root, self._lookup(formula))
            if holds is not None and holds.names and values[name] is bool(holds.value):
                out[name] = holds
        return out

    # -- names -----------------------------------------------------------------------------------

    def _lookup(self, formula: Expr) -> Lookup:
        def lookup(name: str) -> Symbol | SpecValue:
            if name in formula.sizes:
                return self._size(name, formula.sizes[name])
            if name in self.names.symbols:
                return self.names.symbols[name]
            if name in self.names.plain:
                return self._taken_as_constant(self.names.plain[name])
            if name in self.names.constants:
                return self.names.constants[name]
            return WORD_VALUES.get(name)

        return lookup

    def _taken_as_constant(self, given: Given) -> SpecValue:
        """Return the value of an argument that need not be whole, as a width multiplier.

        Whole numbers cannot be formulas of it, but those of the others stay formulas of them.
        """
        if isinstance(given.value, bool) or not isinstance(given.value, (int, Fraction)):
            return None
        self.trace.found.add(given.key)
        return given.value

    def _over_arguments(self, formula: Expr) -> Lookup:
        """Return what names mean without local variables."""
        lookup = self._lookup(formula)

        def expanded(name: str) -> Symbol | SpecValue:
            found = lookup(name)
            return self.expanded(found) if isinstance(found, Symbol) else found

        return expanded

    def _size(self, name: str, node: str) -> Symbol | int | None:
        if name.endswith(".channels"):
            return self.channels.get(node)
        return self.grid_size(name, node)

    def grid_size(self, name: str, node: str) -> int | None:
        """Return the height or width that a name is, None where it is left open."""
        if node not in self.graph.nodes:
            return None
        height, width = self.graph.nodes[node].shape.grid
        size = height if name.endswith(".height") else width
        return size if isinstance(size, int) else None


def _counts(graph: Graph, region: Region) -> Iterator[tuple[str, Expr]]:
    """Yield the repeats of a block or network, those in blocks inside it aside: name, count."""
    for member in region.members:
        inner = graph.regions.get(member)
        if inner is None:
            continue
        formula = formulas_of(inner.traced).get("repeat") if inner.kind == "repeat" else None
        if formula is not None:
            yield member, formula
        if inner.kind != "block":
            yield from _counts(graph, inner)
