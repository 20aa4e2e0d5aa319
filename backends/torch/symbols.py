"""Whole numbers that remember how they are written over the arguments of an emitted class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from compiler.expr import Term

_RANKS = {"+": 1, "-": 1, "*": 2, "//": 2, "%": 2}
_ATOM = 4


@dataclass(frozen=True, slots=True)
class Symbol:
    """A number, an argument's name, or an operation on symbols; `value` is what it is here.

    kind is `number`, `name`, `min`, `max` or an operator (`+ - * // %`).
    """

    kind: str
    value: int
    name: str = ""
    args: tuple[Symbol, ...] = ()

    @property
    def is_number(self) -> bool:
        """True when no argument takes part in it."""
        return self.kind == "number"

    @property
    def text(self) -> str:
        """The Python expression."""
        return _render(self)[0]

    @property
    def names(self) -> frozenset[str]:
        """The argument names that it reads."""
        if self.kind == "name":
            return frozenset((self.name,))
        return frozenset().union(*(a.names for a in self.args))

    def replaced(self, values: Mapping[str, Symbol]) -> Symbol:
        """Return the same formula with argument names replaced by formulas of a caller."""
        if self.kind == "name":
            return values.get(self.name, number(self.value))
        if not self.args:
            return self
        return operation(self.kind, tuple(a.replaced(values) for a in self.args))


def number(value: int) -> Symbol:
    """Return a plain number."""
    return Symbol("number", value)


def argument(name: str, value: int) -> Symbol:
    """Return a constructor argument that is `value` in the instance at hand."""
    return Symbol("name", value, name)


def operation(kind: str, args: tuple[Symbol, ...]) -> Symbol:
    """Return an operation on symbols, as a number where all of them are numbers."""
    value = _compute(kind, [a.value for a in args])
    if all(a.is_number for a in args):
        return number(value)
    if kind == "+" and any(a.kind == "+" for a in args):
        return total(args)
    return Symbol(kind, value, "", args)


def total(parts: Iterable[Symbol]) -> Symbol:
    """Return a sum with its plain numbers added up at the end: `in_channels + n + 96`."""
    constant = 0
    terms: list[Symbol] = []
    stack = [*parts][::-1]
    while stack:
        part = stack.pop()
        if part.is_number:
            constant += part.value
        elif part.kind == "+":
            stack.extend(part.args[::-1])
        else:
            terms.append(part)
    if constant or not terms:
        terms.append(number(constant))
    out = terms[0]
    for term in terms[1:]:
        out = Symbol("+", out.value + term.value, "", (out, term))
    return out


def from_term(term: Term, lookup: Callable[[str], Symbol | None]) -> Symbol | None:
    """Return the symbol of a spec's expression, None where Python would need fractions.

    A division that comes out whole becomes `//`; `lookup` gives the symbol of a name.
    """
    if term.kind == "number":
        value = Fraction(term.text)
        return number(value.numerator) if value.denominator == 1 else None
    if term.kind == "name":
        return lookup(term.text)
    args = [from_term(a, lookup) for a in term.args]
    known = [a for a in args if a is not None]
    if len(known) != len(args):
        return None
    if term.kind == "neg":
        return operation("-", (number(0), known[0]))
    if term.kind == "call":
        return _call(term.text, known)
    if term.kind not in ("+", "-", "*", "/", "//", "%"):
        return None
    return _divide(term.kind, known)


def _call(function: str, args: list[Symbol]) -> Symbol | None:
    if function in ("int", "floor", "ceil", "round"):
        return args[0]  # rounding a whole number
    return operation(function, tuple(args))


def _divide(kind: str, args: list[Symbol]) -> Symbol | None:
    if kind in ("/", "//", "%") and args[1].value == 0:
        return None
    if kind == "/":
        return None if args[0].value % args[1].value else operation("//", tuple(args))
    return operation(kind, tuple(args))


def _compute(kind: str, values: list[int]) -> int:
    left, right = values
    table: dict[str, Callable[[], int]] = {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "//": lambda: left // right,
        "%": lambda: left % right,
        "min": lambda: min(left, right),
        "max": lambda: max(left, right),
    }
    return table[kind]()


def _render(symbol: Symbol) -> tuple[str, int]:
    """Return the text and how tightly it binds."""
    if symbol.kind == "number":
        return str(symbol.value), _ATOM if symbol.value >= 0 else 3
    if symbol.kind == "name":
        return symbol.name, _ATOM
    if symbol.kind in ("min", "max"):
        return f"{symbol.kind}({', '.join(a.text for a in symbol.args)})", _ATOM
    rank = _RANKS[symbol.kind]
    left, right = (_render(a) for a in symbol.args)
    first = f"({left[0]})" if left[1] < rank else left[0]
    second = f"({right[0]})" if right[1] <= rank else right[0]
    return f"{first} {symbol.kind} {second}", rank
