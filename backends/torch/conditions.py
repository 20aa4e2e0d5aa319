"""Conditions that a class was written under, over the arguments of its constructor."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from backends.torch.symbols import (
    COMPARISONS,
    Lookup,
    NoFormula,
    Symbol,
    compared,
    is_constant,
    number,
    operation,
    truth,
)
from compiler.text import ExprError, Term

_OPPOSITE = {
    **{"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"},
    **{"is": "is not", "is not": "is"},
}

Polynomial = dict[tuple[str, ...], int]
"""Product of names -> its factor."""


@dataclass(frozen=True, slots=True)
class ArgumentCondition:
    """A comparison of two whole numbers, `and` or `or` of two conditions.

    `is` and `is not` are of what is true or false, alone.
    """

    kind: str
    sides: tuple[Symbol, ...] = ()
    parts: tuple[ArgumentCondition, ...] = ()

    @property
    def text(self) -> str:
        """The Python expression."""
        if self.kind in ("is", "is not"):
            (side,) = self.sides
            return side.text if self.kind == "is" else operation("not", (side,)).text
        if self.sides:
            return f" {self.kind} ".join(side.text for side in self.sides)
        mixed = (f"({p.text})" if p.parts and p.kind != self.kind else p.text for p in self.parts)
        return f" {self.kind} ".join(mixed)

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """All numbers in it."""
        return (*self.sides, *(s for part in self.parts for s in part.symbols))

    @property
    def settled(self) -> bool | None:
        """Whether it holds whatever the arguments are, or never does; None where they decide."""
        if not self.sides or not all(side.is_number for side in self.sides):
            return None
        if self.kind in ("is", "is not"):
            return bool(self.sides[0].value) is (self.kind == "is")
        return bool(operation(self.kind, self.sides).value)

    @property
    def opposite(self) -> ArgumentCondition:
        """The condition that holds where this one does not."""
        if self.sides:
            return ArgumentCondition(_OPPOSITE[self.kind], self.sides)
        kind = "and" if self.kind == "or" else "or"
        return ArgumentCondition(kind, (), tuple(part.opposite for part in self.parts))

    def replaced(self, values: Mapping[str, Symbol]) -> ArgumentCondition:
        """Return the same condition over the arguments of a caller."""
        sides = tuple(side.replaced(values) for side in self.sides)
        if self.kind in ("is", "is not"):
            made = _of_truth(sides[0])
            return made if self.kind == "is" else made.opposite
        if not sides:
            return joined(self.kind, [part.replaced(values) for part in self.parts])
        return ArgumentCondition(self.kind, sides)

    def always_holds(self, positive: Collection[str]) -> bool:
        """True where it is sure to hold for all whole numbers; those `positive` are 1 at least."""
        if not self.sides:
            some = any if self.kind == "or" else all
            return some(part.always_holds(positive) for part in self.parts)
        if self.kind in ("is", "is not"):
            (side,) = self.sides
            return side.is_number and bool(side.value) is (self.kind == "is")
        left, right = self.sides
        if self.kind in ("<", "<="):
            left, right = right, left
        least = _least(left, right, positive)
        if self.kind in ("<", ">"):
            return least is not None and least > 0
        if self.kind in ("<=", ">="):
            return least is not None and least >= 0
        most = _least(right, left, positive)
        if self.kind == "==":
            return least is not None and most is not None and least >= 0 and most >= 0
        return (least is not None and least > 0) or (most is not None and most > 0)


def joined(kind: str, parts: Sequence[ArgumentCondition]) -> ArgumentCondition:
    """Return `and` or `or` of conditions, without those that decide nothing."""
    deciding = next((part for part in parts if part.settled is (kind == "or")), None)
    if deciding is not None:
        return deciding
    left = [part for part in parts if part.settled is None] or [parts[0]]
    return left[0] if len(left) == 1 else ArgumentCondition(kind, (), tuple(left))


def from_condition(term: Term, lookup: Lookup) -> ArgumentCondition | None:
    """Return a spec's condition over whole numbers, None where it speaks of anything else."""
    try:
        return _condition(term, lookup)
    except (NoFormula, ExprError, ZeroDivisionError):
        return None


def _condition(term: Term, lookup: Lookup) -> ArgumentCondition:
    if term.kind == "name" and isinstance(found := lookup(term.text), Symbol):
        return _of_symbol(found)
    if is_constant(term, lookup):
        return ArgumentCondition("==", (truth(term, lookup), number(1)))
    if term.kind in ("and", "or"):
        parts = [a for a in term.args if not _goes_without_saying(a, term.kind, lookup)]
        decided = [a for a in parts if is_constant(a, lookup)]
        if decided or len(parts) == 1:
            return _condition([*decided, *parts][0], lookup)
        return joined(term.kind, [_condition(a, lookup) for a in parts])
    if term.kind == "not":
        return _condition(term.args[0], lookup).opposite
    if term.kind not in COMPARISONS:
        raise NoFormula
    return ArgumentCondition(term.kind, compared(term, lookup))


def _of_truth(symbol: Symbol) -> ArgumentCondition:
    """Return the condition that what is true or false is true."""
    try:
        return _of_symbol(symbol)
    except NoFormula:
        return ArgumentCondition("is", (symbol,))


def _of_symbol(symbol: Symbol) -> ArgumentCondition:
    if symbol.kind == "flag":
        return ArgumentCondition("is", (symbol,))
    if symbol.kind == "not":
        return _of_symbol(symbol.args[0]).opposite
    if symbol.kind in ("and", "or"):
        return joined(symbol.kind, [_of_symbol(part) for part in symbol.args])
    if symbol.kind not in COMPARISONS:
        raise NoFormula
    left, right = symbol.args
    return ArgumentCondition(symbol.kind, (left, right))


def _goes_without_saying(term: Term, kind: str, lookup: Lookup) -> bool:
    """True for a part of `and` that always holds, and of `or` that never does."""
    return is_constant(term, lookup) and bool(truth(term, lookup).value) is (kind == "and")


def are_equal(left: Symbol, right: Symbol) -> bool:
    """True where two formulas are the same polynomial."""
    try:
        return _polynomial(left) == _polynomial(right)
    except NoFormula:
        return left == right


def _least(left: Symbol, right: Symbol, positive: Collection[str]) -> int | None:
    """Return a number that `left - right` is never below, None where none is known."""
    try:
        terms = _sum(_polynomial(left), _polynomial(right), -1)
    except NoFormula:
        return 0 if left == right else None
    shifted: Polynomial = {}
    for names, factor in terms.items():
        product: Polynomial = {(): factor}
        for name in names:  # what is 1 at least is 1 and something that is 0 at least
            by: Polynomial = {(name,): 1, (): 1} if name in positive else {(name,): 1}
            product = _times(product, by)
        shifted = _sum(shifted, product)
    for names, factor in shifted.items():
        if names and (factor < 0 or not all(name in positive for name in names)):
            return None
    return shifted.get((), 0)


def _polynomial(symbol: Symbol) -> Polynomial:
    if symbol.kind == "number":
        return {(): symbol.value} if symbol.value else {}
    if symbol.kind == "name":
        return {(symbol.name,): 1}
    if symbol.kind not in ("+", "-", "*"):
        raise NoFormula
    left, right = (_polynomial(a) for a in symbol.args)
    if symbol.kind == "*":
        return _times(left, right)
    return _sum(left, right, 1 if symbol.kind == "+" else -1)


def _sum(left: Polynomial, right: Polynomial, factor: int = 1) -> Polynomial:
    out = dict(left)
    for names, by in right.items():
        out[names] = out.get(names, 0) + factor * by
    return {names: by for names, by in out.items() if by}


def _times(left: Polynomial, right: Polynomial) -> Polynomial:
    out: Polynomial = {}
    for first, factor in left.items():
        for second, by in right.items():
            names = tuple(sorted((*first, *second)))
            out[names] = out.get(names, 0) + factor * by
    return out
