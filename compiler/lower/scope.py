"""What a name means: layers in the lists around, a block's inputs and parameters, sizes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NoReturn

from compiler.errors import Span, did_you_mean, listing
from compiler.graph import Decision, Dim, Shape
from compiler.ops import Layer
from compiler.text import Expr, Term, Value, show_value
from compiler.text.parse_expr import PATH

SIZES = ("channels", "height", "width")
_LAYERS = re.compile(rf"{PATH}(\s+or\s+{PATH})*")


@dataclass(slots=True)
class Frame:
    """One instance of a block, or the network: parameters and inputs."""

    name: str
    params: dict[str, Value]
    """The names of a `let` are here too, once they are settled."""
    inputs: dict[str, str]
    """Input name -> node."""
    used: set[str] = field(default_factory=set)
    defaults: Mapping[str, object] = field(default_factory=dict)
    """Parameter -> its default, where that is a plain value."""
    sizes_hold: bool = False
    """True when the printed sizes of this frame's layers are for the input at hand."""
    decisions: list[Decision] = field(default_factory=list)
    """What is decided by formulas that no attribute remembers."""
    is_definition: bool = False
    """True for a block as it is defined: every layer is there, a formula repeats once."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A `when` that is false: what it says, and where."""

    text: str
    span: Span


@dataclass(slots=True)
class Named:
    """A name in a scope: the layer's path, and its tensor once it is lowered."""

    path: str
    span: Span
    is_automatic: bool
    tensor: str | None = None
    left_out_by: Condition | None = None


@dataclass(frozen=True, slots=True)
class Variable:
    """What a name is worth in one copy of a layer."""

    value: Value
    formula: Term | None = None
    """How that is written, where it is a formula."""

    @property
    def term(self) -> Term | None:
        """What stands for the name in a formula, None where it is no number and no word."""
        if self.formula is not None:
            return self.formula
        if isinstance(self.value, bool):
            return Term("name", show_value(self.value), (), 0, 0)
        if isinstance(self.value, (int, Fraction)):
            return Term("number", str(self.value), (), 0, 0)
        if isinstance(self.value, str):
            return Term("text", self.value, (), 0, 0)
        return None


@dataclass(slots=True)
class Scope:
    """A list of layers under one path prefix."""

    prefix: str
    frame: Frame
    parent: Scope | None = None
    names: dict[str, Named] = field(default_factory=dict)
    ordinals: dict[str, int] = field(default_factory=dict)
    variables: Mapping[str, Variable] = field(default_factory=dict)
    """What differs between the copies of the layers around: `index`, and what a `for` goes over."""

    def child(self, prefix: str) -> Scope:
        """Return a scope inside this one, in the same frame."""
        return Scope(prefix, self.frame, self, variables=self.variables)

    def copy(self, variables: Mapping[str, Variable]) -> Scope:
        """Return this scope, with the same names, as one copy of a layer in it has it."""
        whole = {**self.variables, **variables}
        return Scope(self.prefix, self.frame, self, self.names, self.ordinals, whole)

    def automatic(self, base: str) -> str:
        """Return a local name made from `base` that is not taken: base, base_2, base_3, ..."""
        while True:
            count = self.ordinals.get(base, 0) + 1
            self.ordinals[base] = count
            name = base if count == 1 else f"{base}_{count}"
            if name not in self.names:
                return name

    def find(self, name: str) -> Named | None:
        """Return what a local name means here or in a list around."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def sized_by(self, layer: Layer) -> str | None:
        """Return the layer (or `a or b`) that a layer reads for its size alone, None for none."""
        written = getattr(layer, layer.op) if layer.takes_size else None
        if not isinstance(written, Expr) or not _LAYERS.fullmatch(written.text.strip()):
            return None
        params = self.frame.params
        is_number = any(n in params or n.rpartition(".")[2] in SIZES for n in written.names)
        return None if is_number or "index" in written.names else written.text

    def visible(self) -> list[str]:
        """Return every local name that can be referred to from here."""
        out: list[str] = []
        scope: Scope | None = self
        while scope is not None:
            out.extend(scope.names)
            scope = scope.parent
        return [*out, *self.frame.inputs, "in"]


@dataclass(slots=True)
class Lookup:
    """Finds the value of a name in an expression; use as a function."""

    scope: Scope
    shapes: Mapping[str, Shape]
    """Node -> shape."""
    previous: Callable[[], str]
    """Gives the node that enters the layer at hand; asked only where an expression speaks of it."""

    def __call__(self, name: str) -> Value:
        """Return the value of a name; raise `KeyError` where it is not in scope."""
        frame = self.scope.frame
        if name in frame.params:
            frame.used.add(name)
            return frame.params[name]
        if name in self.scope.variables:
            return self.scope.variables[name].value
        if name == "index":
            raise KeyError(name, "`index` counts the copies of a `repeat`")
        head, _, size = name.rpartition(".")
        if head and size in SIZES:
            return self._size(head, size, name)
        return self._unknown(name)

    def bind(self, formula: Expr) -> Expr:
        """Return a formula that knows the nodes whose sizes it reads, and the copy it stands in."""
        variables = self.scope.variables
        if not variables.keys().isdisjoint(formula.names):
            formula = replace(formula, root=_with_variables(formula.root, variables))
        sizes: dict[str, str] = {}
        for name in formula.names:
            head, _, size = name.rpartition(".")
            node = self._tensor(head) if head and size in SIZES else None
            if node is not None:
                sizes[name] = node
        return replace(formula, sizes=sizes) if sizes else formula

    def _unknown(self, name: str) -> NoReturn:
        params = self.scope.frame.params

        def help() -> str:
            guess = did_you_mean(
                name, [*params, *self.scope.variables, "index", "in.channels", "prev.channels"]
            )
            return f"{guess.strip(' ()')}; the parameters here are {listing(params)}".lstrip("; ")

        raise KeyError(name, help)

    def _size(self, head: str, size: str, name: str) -> Value:
        node = self._tensor(head)
        if node is None and (named := self.scope.find(head)) and named.left_out_by:
            raise KeyError(name, left_out(head, named.left_out_by))
        if node is None:
            raise KeyError(name, f"there is no layer `{head}` before this one")
        shape = self.shapes[node]
        at = SIZES.index(size)
        if at >= len(shape):
            raise KeyError(name, f"`{head}` is a vector, it has channels only")
        return _number(shape[at], name)

    def _tensor(self, head: str) -> str | None:
        if head == "prev":
            return self.previous()
        frame = self.scope.frame
        if head == "in":
            return next(iter(frame.inputs.values()))
        if head in frame.inputs:
            return frame.inputs[head]
        named = self.scope.find(head)
        return named.tensor if named else None


def _with_variables(term: Term, variables: Mapping[str, Variable]) -> Term:
    """Return a term with what names are worth in the copy at hand in their place."""
    if term.kind == "name":
        return (term.text in variables and variables[term.text].term) or term
    return replace(term, args=tuple(_with_variables(arg, variables) for arg in term.args))


def left_out(name: str, condition: Condition) -> str:
    """Return the sentence about a layer that is not there."""
    return f"`{name}` is left out here: its `when: {condition.text}` is false"


def _number(dim: Dim, name: str) -> Value:
    if dim is None or isinstance(dim, int):
        return dim
    raise KeyError(name, f"this size is left open ({dim}); give the input a fixed size")
