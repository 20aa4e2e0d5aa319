"""Whole numbers that remember how they are written over the arguments of an emitted class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from compiler.text import Expr, ExprError, Term, evaluate

_RANKS = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2}
_ATOM = 4


@dataclass(frozen=True, slots=True)
class Symbol:
    """A number, an argument's name, or an operation on symbols; `value` is what it is here.

    kind is `number`, `name`, `min`, `max`, an operator (`+ - * // %`), or `int` or `round` of a
    quotient.
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
    if kind == "+" and (any(a.kind == "+" for a in args) or args[0] == args[1]):
        return total(args)
    if kind == "//" and args[1].is_number:
        factor, rest = _multiple(args[0])
        if factor % args[1].value == 0:
            return _times(factor // args[1].value, rest)
    return Symbol(kind, value, "", args)


def _multiple(symbol: Symbol) -> tuple[int, Symbol]:
    """Return a symbol as a number times another: `2 * n` as 2 and `n`."""
    if symbol.kind == "*" and symbol.args[0].is_number:
        return symbol.args[0].value, symbol.args[1]
    return 1, symbol


def _times(factor: int, symbol: Symbol) -> Symbol:
    if factor == 1:
        return symbol
    return Symbol("*", factor * symbol.value, "", (number(factor), symbol))


def total(parts: Iterable[Symbol]) -> Symbol:
    """Return a sum: equal terms are one, plain numbers stand at the end: `2 * n + m + 96`."""
    constant = 0
    terms: dict[Symbol, int] = {}
    stack = [*parts][::-1]
    while stack:
        part = stack.pop()
        if part.is_number:
            constant += part.value
        elif part.kind == "+":
            stack.extend(part.args[::-1])
        else:
            factor, rest = _multiple(part)
            terms[rest] = terms.get(rest, 0) + factor
    summands = [_times(factor, term) for term, factor in terms.items() if factor]
    if constant or not summands:
        summands.append(number(constant))
    out = summands[0]
    for term in summands[1:]:
        out = Symbol("+", out.value + term.value, "", (out, term))
    return out


Lookup = Callable[[str], Symbol | Fraction | None]
"""Name -> an argument's symbol, or a number that is no argument; None where it is neither."""
Ratio = tuple[Symbol, Symbol]
"""Numerator and denominator."""
_ONE = Symbol("number", 1)


def from_term(term: Term, lookup: Lookup) -> Symbol | None:
    """Return the whole number that a spec's expression makes, whatever its names are worth.

    None where integers cannot express it. A spec calculates with fractions, and refuses a result
    that is none of the whole numbers: so the quotient of the whole expression may be `//`.
    """
    try:
        over, under = ratio(term, lookup)
        return over if under == _ONE else operation("//", (over, under))
    except (NoFormula, ExprError, ZeroDivisionError):
        return None


class NoFormula(Exception):
    """An expression cannot be written with whole numbers."""


def ratio(term: Term, lookup: Lookup) -> Ratio:
    """Return the number that an expression makes as a quotient of whole numbers.

    Raises:
        NoFormula: whole numbers cannot express it.
    """
    if term.kind in ("number", "name"):
        found = Fraction(term.text) if term.kind == "number" else lookup(term.text)
        if found is None:
            raise NoFormula
        return (found, _ONE) if isinstance(found, Symbol) else _plain(found)
    parts = [ratio(a, lookup) for a in term.args]
    if all(p.is_number for part in parts for p in part):
        names = {t.text: _value(ratio(t, lookup)) for t in _names(term)}
        value = evaluate(Expr("", term), names.__getitem__)
        if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
            raise NoFormula
        return _plain(Fraction(value))
    if term.kind == "neg":
        return operation("-", (number(0), parts[0][0])), parts[0][1]
    if term.kind == "call":
        return _call(term.text, parts), _ONE
    return _calculated(term.kind, *parts)


def _plain(value: Fraction) -> Ratio:
    return number(value.numerator), number(value.denominator)


def _value(ratio: Ratio) -> Fraction:
    return Fraction(ratio[0].value, ratio[1].value)


def _names(term: Term) -> Iterator[Term]:
    if term.kind == "name" and term.text not in ("true", "false"):
        yield term
    for arg in term.args:
        yield from _names(arg)


def _call(function: str, parts: list[Ratio]) -> Symbol:
    over, under = parts[0]
    if under == _ONE and function in ("int", "floor", "ceil", "round"):
        return over
    if function in ("int", "round"):
        return operation(function, (over, under))
    if function == "floor":
        return operation("//", (over, under))
    if function == "ceil":
        zero = number(0)
        return operation("-", (zero, operation("//", (operation("-", (zero, over)), under))))
    return operation(function, tuple(_whole(p) for p in parts))


def _calculated(kind: str, left: Ratio, right: Ratio) -> Ratio:
    (a, b), (c, d) = left, right
    if kind == "*":
        return _product(a, c), _product(b, d)
    if kind == "/":
        return _product(a, d), _product(b, c)
    if kind == "//":
        return operation("//", (_product(a, d), _product(b, c))), _ONE
    if kind == "%":
        return operation("%", (_whole(left), _whole(right))), _ONE
    if kind not in ("+", "-"):
        raise NoFormula
    if b == d:
        return operation(kind, (a, c)), b
    return operation(kind, (_product(a, d), _product(c, b))), _product(b, d)


def _product(left: Symbol, right: Symbol) -> Symbol:
    if right == _ONE:
        return left
    return right if left == _ONE else operation("*", (left, right))


def _whole(ratio: Ratio) -> Symbol:
    if ratio[1] != _ONE:
        raise NoFormula
    return ratio[0]


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
        "int": lambda: int(Fraction(left, right)),
        "round": lambda: round(Fraction(left, right)),
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
    if symbol.kind in ("int", "round"):
        return f"{symbol.kind}({_render(Symbol('/', 0, '', symbol.args))[0]})", _ATOM
    rank = _RANKS[symbol.kind]
    left, right = (_render(a) for a in symbol.args)
    first = f"({left[0]})" if left[1] < rank else left[0]
    second = f"({right[0]})" if right[1] <= rank else right[0]
    return f"{first} {symbol.kind} {second}", rank
