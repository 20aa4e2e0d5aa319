"""Whole numbers that remember how they are written over the arguments of an emitted class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from compiler.text import Expr, ExprError, Term, Unknown, Value, ValueList, evaluate, round_to

_RANKS = {
    **{"if": 0, "or": 1, "and": 2, "not": 3},
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), 4),
    **{"+": 5, "-": 5, "*": 6, "/": 6, "//": 6, "%": 6, "**": 8},
}
_NEGATIVE, _ATOM = 7, 9
_ARITHMETIC = ("+", "-", "*", "/", "//", "%", "**")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_FUNCTIONS = ("min", "max", "sum", "len")


@dataclass(frozen=True, slots=True)
class Symbol:
    """A number, an argument's name, or an operation on symbols; `value` is what it is here.

    kind is `number`, `name`, `flag` (the name of what is true or false), an operator
    (`+ - * // % **`), `min`, `max`, `int`, `round` or `round_to` (of a quotient), a comparison,
    `and`, `or` or `not` (1 where it is true), `if` (the condition, and what holds where it is true,
    or not), `row`: a list of whole numbers, with the name of an argument or without; or `item`,
    `len` and `sum` of one.
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
        if self.name:
            return frozenset((self.name,))
        return frozenset().union(*(a.names for a in self.args))

    @property
    def helpers(self) -> frozenset[str]:
        """The functions that its text calls and Python does not have."""
        own = (self.kind,) if self.kind == "round_to" else ()
        return frozenset(own).union(*(a.helpers for a in self.args))

    def replaced(self, values: Mapping[str, Symbol]) -> Symbol:
        """Return the same formula with argument names replaced by formulas of a caller."""
        if self.kind in ("name", "flag"):
            return values.get(self.name, number(self.value))
        if self.kind == "row" and self.name:
            return values.get(self.name, row(self.args))
        if not self.args:
            return self
        return operation(self.kind, tuple(a.replaced(values) for a in self.args))

    def substituted(self, values: Mapping[str, Symbol]) -> Symbol:
        """Return the same formula with some of its names replaced."""
        if self.name:
            return values.get(self.name, self)
        if not self.args or self.names.isdisjoint(values):
            return self
        return operation(self.kind, tuple(a.substituted(values) for a in self.args))


def number(value: int) -> Symbol:
    """Return a plain number."""
    return Symbol("number", value)


def argument(name: str, value: int) -> Symbol:
    """Return a constructor argument that is `value` in the instance at hand."""
    return Symbol("name", value, name)


def flag(name: str, value: bool) -> Symbol:
    """Return a constructor argument that is true or false in the instance at hand."""
    return Symbol("flag", int(value), name)


def row(entries: Iterable[Symbol], name: str = "") -> Symbol:
    """Return a list of whole numbers; with the name of the constructor argument that it is."""
    args = tuple(entries)
    return Symbol("row", len(args), name, args)


def operation(kind: str, args: tuple[Symbol, ...]) -> Symbol:
    """Return an operation on symbols, as a number where all of them are numbers."""
    if kind == "row":
        return row(args)
    if kind == "if" and args[0].is_number:
        return args[1] if args[0].value else args[2]
    if args[0].kind == "row" and not args[0].name and (kind != "item" or args[1].is_number):
        return _of_entries(kind, *args)
    value = _compute(kind, args)
    if all(a.is_number for a in args):
        return number(value)
    if kind == "+" and (any(a.kind == "+" for a in args) or args[0] == args[1]):
        return total(args)
    if kind == "*" and _ONE in args:
        return args[1] if args[0] == _ONE else args[0]
    if kind == "//" and args[1].is_number:
        factor, rest = _multiple(args[0])
        if factor % args[1].value == 0:
            return _times(factor // args[1].value, rest)
    return Symbol(kind, value, "", args)


def _of_entries(kind: str, entries: Symbol, index: Symbol | None = None) -> Symbol:
    """Return a function of a list that is written out."""
    if index is not None:
        return entries.args[index.value]
    if kind == "len":
        return number(entries.value)
    return total(entries.args) if kind == "sum" else operation(kind, entries.args)


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


Lookup = Callable[[str], Symbol | Value]
"""Name -> an argument's symbol, or a value that is no argument; None where it is neither."""
Ratio = tuple[Symbol, Symbol]
"""Numerator and denominator."""
_ZERO, _ONE = Symbol("number", 0), Symbol("number", 1)


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


def truth_from(term: Term, lookup: Lookup) -> Symbol | None:
    """Return a condition as a number that is 1 where it holds, None where that is impossible."""
    try:
        return truth(term, lookup)
    except (NoFormula, ExprError, ZeroDivisionError):
        return None


def row_from(term: Term, lookup: Lookup) -> Symbol | None:
    """Return the list of whole numbers that an expression is, None where it is none."""
    try:
        return _row(term, lookup)
    except (NoFormula, ExprError, ZeroDivisionError):
        return None


class NoFormula(Exception):
    """An expression cannot be written with whole numbers."""


def ratio(term: Term, lookup: Lookup) -> Ratio:
    """Return the number that an expression makes as a quotient of whole numbers.

    Raises:
        NoFormula: whole numbers cannot express it.
    """
    if term.kind == "name" and isinstance(found := lookup(term.text), Symbol):
        return _a_number(found), _ONE
    if term.kind == "if":
        return _chosen(term, lookup)
    if is_constant(term, lookup):
        return _plain(constant(term, lookup))
    if term.kind == "item":
        return _item(term, lookup), _ONE
    if term.kind == "call" and term.text in _FUNCTIONS:
        return _over_all(term, lookup), _ONE
    if term.kind not in ("neg", "call", *_ARITHMETIC):
        raise NoFormula
    parts = [ratio(a, lookup) for a in term.args]
    if term.kind == "neg":
        return operation("-", (_ZERO, parts[0][0])), parts[0][1]
    if term.kind == "call":
        return _rounded(term.text, parts), _ONE
    return _calculated(term.kind, *parts)


def _item(term: Term, lookup: Lookup) -> Symbol:
    entries, index = _row(term.args[0], lookup), _whole(ratio(term.args[1], lookup))
    if not -entries.value <= index.value < entries.value:
        raise NoFormula
    return operation("item", (entries, index))


def _a_number(symbol: Symbol) -> Symbol:
    if symbol.kind in ("row", "flag"):
        raise NoFormula
    return symbol


def is_constant(term: Term, lookup: Lookup) -> bool:
    """True where no argument takes part in an expression, and all its names have values."""
    values = [lookup(name.text) for name in _names(term)]
    return not any(value is None or isinstance(value, Symbol) for value in values)


def constant(term: Term, lookup: Lookup) -> Value:
    """Return the value of an expression in which no argument takes part."""

    def value(name: str) -> Value:
        found = lookup(name)
        assert not isinstance(found, Symbol)
        return found

    try:
        return evaluate(Expr("", term), value)
    except Unknown:
        raise NoFormula from None


def truth(term: Term, lookup: Lookup) -> Symbol:
    """Return a condition as a number that is 1 where it holds.

    Raises:
        NoFormula: whole numbers cannot express it.
    """
    if term.kind == "name" and isinstance(named := lookup(term.text), Symbol):
        return named
    if is_constant(term, lookup):
        found = constant(term, lookup)
        if not isinstance(found, bool):
            raise NoFormula
        return number(int(found))
    if term.kind in ("and", "or", "not"):
        return _logic(term.kind, [truth(a, lookup) for a in term.args])
    if term.kind not in COMPARISONS:
        raise NoFormula
    return operation(term.kind, compared(term, lookup))


def compared(term: Term, lookup: Lookup) -> tuple[Symbol, Symbol]:
    """Return the sides of a comparison as whole numbers.

    Raises:
        NoFormula: whole numbers cannot express them.
    """
    (a, b), (c, d) = (ratio(side, lookup) for side in term.args)
    if not (b.is_number and d.is_number and b.value > 0 and d.value > 0):
        raise NoFormula  # the sign of what both sides are multiplied by is not known
    if b == d:
        return a, c
    return operation("*", (a, d)), operation("*", (c, b))


def _logic(kind: str, parts: list[Symbol]) -> Symbol:
    """Return a condition of conditions, without those that decide nothing."""
    if kind == "not":
        return operation("not", tuple(parts))
    deciding = int(kind == "or")
    if any(p.is_number and p.value == deciding for p in parts):
        return number(deciding)
    left = [p for p in parts if not p.is_number]
    if not left:
        return number(1 - deciding)
    return operation(kind, tuple(left)) if len(left) == 2 else left[0]


def _chosen(term: Term, lookup: Lookup) -> Ratio:
    condition, then, other = term.args
    holds = truth(condition, lookup)
    if holds.is_number:
        return ratio(then if holds.value else other, lookup)
    (a, b), (c, d) = ratio(then, lookup), ratio(other, lookup)
    if b != d:
        raise NoFormula
    return operation("if", (holds, a, c)), b


def _plain(value: Value) -> Ratio:
    if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
        raise NoFormula
    value = Fraction(value)
    return number(value.numerator), number(value.denominator)


def _names(term: Term) -> Iterator[Term]:
    if term.kind == "name" and term.text not in ("true", "false"):
        yield term
    for arg in term.args:
        yield from _names(arg)


def _row(term: Term, lookup: Lookup) -> Symbol:
    found = lookup(term.text) if term.kind == "name" else None
    if isinstance(found, Symbol) and found.kind == "row":
        return found
    if term.kind == "list":
        return row(_whole(ratio(a, lookup)) for a in term.args)
    if term.kind == "if":
        holds = truth(term.args[0], lookup)
        if holds.is_number:
            return _row(term.args[1 if holds.value else 2], lookup)
    if not is_constant(term, lookup):
        raise NoFormula
    return row(whole_numbers(constant(term, lookup)))


def whole_numbers(value: Value) -> list[Symbol]:
    """Return the entries of a list of whole numbers.

    Raises:
        NoFormula: it is none.
    """
    if not isinstance(value, ValueList):
        raise NoFormula
    if not all(isinstance(v, int) and not isinstance(v, bool) for v in value):
        raise NoFormula
    return [number(v) for v in value if isinstance(v, int)]


def _over_all(term: Term, lookup: Lookup) -> Symbol:
    """Return `min`, `max`, `sum` or `len`, of numbers or of one list."""
    if len(term.args) == 1:
        try:
            return operation(term.text, (_row(term.args[0], lookup),))
        except NoFormula:
            if term.text in ("sum", "len"):
                raise
    parts = tuple(_whole(ratio(a, lookup)) for a in term.args)
    return parts[0] if len(parts) == 1 else operation(term.text, parts)


def _rounded(function: str, parts: list[Ratio]) -> Symbol:
    over, under = parts[0]
    if function == "round_to":
        return operation(function, (over, under, _whole(parts[1])))
    if under == _ONE:
        return over
    if function in ("int", "round"):
        return operation(function, (over, under))
    if function == "floor":
        return operation("//", (over, under))
    return operation("-", (_ZERO, operation("//", (operation("-", (_ZERO, over)), under))))


def _calculated(kind: str, left: Ratio, right: Ratio) -> Ratio:
    (a, b), (c, d) = left, right
    if kind == "*":
        return operation("*", (a, c)), operation("*", (b, d))
    if kind == "/":
        return operation("*", (a, d)), operation("*", (b, c))
    if kind == "//":
        return operation("//", (operation("*", (a, d)), operation("*", (b, c)))), _ONE
    if kind == "%":
        return operation("%", (_whole(left), _whole(right))), _ONE
    if kind == "**":
        return _power(left, _whole(right))
    if b == d:
        return operation(kind, (a, c)), b
    sides = operation("*", (a, d)), operation("*", (c, b))
    return operation(kind, sides), operation("*", (b, d))


def _power(base: Ratio, exponent: Symbol) -> Ratio:
    over, under = base
    if exponent.value < 0:
        raise NoFormula
    if under == _ONE:
        return operation("**", (over, exponent)), _ONE
    return operation("**", (over, exponent)), operation("**", (under, exponent))


def _whole(ratio: Ratio) -> Symbol:
    if ratio[1] != _ONE:
        raise NoFormula
    return ratio[0]


_TABLE: Mapping[str, Callable[..., int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": lambda a, b: a**b,
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    "<=": lambda a, b: int(a <= b),
    ">": lambda a, b: int(a > b),
    ">=": lambda a, b: int(a >= b),
    "and": lambda a, b: int(a and b),
    "or": lambda a, b: int(a or b),
    "not": lambda a: int(not a),
    "if": lambda holds, a, b: a if holds else b,
    "min": min,
    "max": max,
    "int": lambda a, b: int(Fraction(a, b)),
    "round": lambda a, b: round(Fraction(a, b)),
    "round_to": lambda a, b, by: round_to(Fraction(a, b), by),
}


def _compute(kind: str, args: Sequence[Symbol]) -> int:
    if args[0].kind != "row":
        return _TABLE[kind](*(a.value for a in args))
    entries = [entry.value for entry in args[0].args]
    if kind == "item":
        return entries[args[1].value]
    over_all: Mapping[str, Callable[[list[int]], int]] = {
        **{"len": len, "sum": sum, "min": min, "max": max}
    }
    return over_all[kind](entries)


def _render(symbol: Symbol) -> tuple[str, int]:
    """Return the text and how tightly it binds."""
    kind, args = symbol.kind, symbol.args
    if kind == "number":
        return str(symbol.value), _ATOM if symbol.value >= 0 else _NEGATIVE
    if symbol.name:
        return symbol.name, _ATOM
    if kind == "row":
        return f"({', '.join(a.text for a in args)}{',' * (len(args) == 1)})", _ATOM
    if kind in _FUNCTIONS:
        return f"{kind}({', '.join(a.text for a in args)})", _ATOM
    if kind in ("int", "round"):
        return f"{kind}({_quotient(*args)})", _ATOM
    if kind == "round_to":
        return f"{kind}({_quotient(*args[:2])}, {args[2].text})", _ATOM
    if kind == "item":
        return f"{args[0].text}[{args[1].text}]", _ATOM
    if kind == "-" and args[0] == _ZERO:
        return f"-{_inside(args[1], _NEGATIVE)}", _NEGATIVE
    return _operator(kind, args), _RANKS[kind]


def _operator(kind: str, args: Sequence[Symbol]) -> str:
    rank = _RANKS[kind]
    if kind == "not":
        return f"not {_inside(args[0], rank)}"
    if kind == "if":
        holds, then, other = args
        return f"{_inside(then, 1)} if {_inside(holds, 1)} else {other.text}"
    is_loose = kind in COMPARISONS or kind == "**"
    first, second = _inside(args[0], rank + is_loose), _inside(args[1], rank + (kind != "**"))
    if kind == "**" and all(a.kind in ("number", "name") for a in args):
        return f"{first}**{second}"  # as `ruff format` has it
    return f"{first} {kind} {second}"


def _quotient(over: Symbol, under: Symbol) -> str:
    return over.text if under == _ONE else _render(Symbol("/", 0, "", (over, under)))[0]


def _inside(symbol: Symbol, least: int) -> str:
    """Return the text of an operand, in brackets where it binds less tightly than this."""
    text, rank = _render(symbol)
    return text if rank >= least else f"({text})"
