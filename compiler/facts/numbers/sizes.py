"""Sizes that remember how they were computed, and every way that a computation on them can go.

A computation runs on `TracedSize`s. A comparison that no bound decides splits it: it runs again
for each outcome, so that what it gives is a tree of conditions with a result at every end.

A formula is a number, a leaf, or a sign with two formulas: `["//", ["+", [0, 1], -1], 2]`. The leaf
`[0, 1]` is axis 1 of operand 0; `[-1, 0]` is the first attribute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from compiler.graph import Dim

Formula = int | list[Any]
"""A number, a leaf, or a sign with two formulas."""
Sign = Literal["==", "<"]
MARK = "\N{WHITE SQUARE}"
"""Stands before and behind the number of a formula in a text."""
MOST_WAYS = 400
"""Ways that one computation may go; of those beyond it nothing is known."""


class Untraced(Exception):
    """What is computed is no formula of sums, products and quotients."""


class Trace:
    """One run of a computation: how its comparisons come out, and what is shown of its sizes.

    Args:
        outcomes: of the first comparisons that no bound decides; later ones are false.
    """

    def __init__(self, outcomes: list[bool]) -> None:
        self.outcomes = outcomes
        self.conditions: list[tuple[Sign, Formula, Formula]] = []
        """The comparisons that were made, one for each outcome."""
        self.shown: list[Formula] = []
        self.least: dict[str, int] = {}
        """Leaf, as text -> the least that it is on this way."""
        self.known: dict[str, bool] = {}
        self.is_settled = False
        """True: nothing more is asked; what is not known is false."""

    def leaf(self, value: int, formula: list[Any], least: int) -> TracedSize:
        """Return a size or an attribute that is known to be so much at least."""
        self.least[repr(formula)] = least
        return self.size(value, formula)

    def size(self, value: int, formula: Formula) -> TracedSize:
        """Return a size with its formula; the value is an example."""
        made = TracedSize(value)
        made.formula, made.trace = formula, self
        return made

    def holds(self, sign: Sign, first: Formula, second: Formula) -> bool:
        """Return how a comparison comes out on this way."""
        match first, second:
            case ["+", one, ["*", other, -1]], 0:  # their difference is none
                first, second = one, other
        if isinstance(first, int) and isinstance(second, int):
            return first == second if sign == "==" else first < second
        decided = self._by_bounds(sign, first, second)
        if decided is not None:
            return decided
        key = repr((sign, first, second))
        if self.is_settled:
            return self.known.get(key, False)
        if key not in self.known:
            at = len(self.conditions)
            self.conditions.append((sign, first, second))
            if at == len(self.outcomes):
                self.outcomes.append(False)
            self.known[key] = self.outcomes[at]
            self._learn(sign, first, second, self.outcomes[at])
        return self.known[key]

    def _learn(self, sign: Sign, first: Formula, second: Formula, holds: bool) -> None:
        if sign == "==":
            self.known[repr((sign, second, first))] = holds
            if holds and isinstance(second, int):
                self.least[repr(first)] = second
            match first:
                case ["%", whole, by] if holds and second == 0:  # what divides it is no larger
                    self.least[repr(["//", whole, by])] = 1
        elif not holds and isinstance(second, int):
            self.least[repr(first)] = max(second, self.least.get(repr(first), second))

    def _by_bounds(self, sign: Sign, first: Formula, second: Formula) -> bool | None:
        if first == second:
            return sign == "=="
        for one, other in ((first, second), (second, first)):
            bound = self._bound(one)
            if not isinstance(other, int) or bound is None:
                continue
            if bound > other or (bound == other and sign == "<" and one is first):
                return sign == "<" and one is second
        return None

    def _bound(self, formula: Formula) -> int | None:
        """Return the least that a formula is, None where that is not known."""
        if isinstance(formula, int):
            return formula
        known = self.least.get(repr(formula))
        sign, *parts = formula
        if not isinstance(sign, str):
            return known
        first, second = (self._bound(part) for part in parts)
        made: int | None = None
        if first is None or second is None:
            pass
        elif sign == "+":
            made = first + second
        elif sign == "*" and first >= 0 and second >= 0:
            made = first * second
        elif sign == "//" and isinstance(parts[1], int) and second > 0:
            made = first // second
        elif sign == "//" and first >= 0 and second >= 0:
            made = 0
        elif sign == "%":
            made = 0 if isinstance(parts[1], int) and second > 0 else None
        return made if known is None else known if made is None else max(known, made)


class TracedSize(int):
    """A size that remembers its formula; comparing it asks the trace."""

    formula: Formula
    trace: Trace

    def _with(self, sign: str, value: int, *parts: Formula) -> TracedSize:
        return self.trace.size(value, [sign, *parts])

    def __add__(self, other: int) -> TracedSize:
        if not isinstance(other, int):
            return NotImplemented
        if type(other) is int and not other:
            return self
        return self._with("+", int(self) + int(other), self.formula, formula_of(other))

    def __mul__(self, other: int) -> TracedSize:
        if not isinstance(other, int):
            return NotImplemented
        if type(other) is int and other == 1:
            return self
        return self._with("*", int(self) * int(other), self.formula, formula_of(other))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> TracedSize:
        return self * -1

    def __sub__(self, other: int) -> TracedSize:
        return self + -other

    def __rsub__(self, other: int) -> TracedSize:
        return -self + other

    def __floordiv__(self, by: int) -> TracedSize:
        if type(by) is int and by == 1:
            return self
        return self._with("//", _divided(self, by)[0], self.formula, formula_of(by))

    def __rfloordiv__(self, other: int) -> TracedSize:
        return self._with("//", _divided(other, self)[0], formula_of(other), self.formula)

    def __mod__(self, by: int) -> TracedSize | int:
        if type(by) is int and by == 1:
            return 0
        return self._with("%", _divided(self, by)[1], self.formula, formula_of(by))

    def __rmod__(self, other: int) -> TracedSize:
        return self._with("%", _divided(other, self)[1], formula_of(other), self.formula)

    def __divmod__(self, by: int) -> tuple[TracedSize, TracedSize | int]:
        return self // by, self % by

    def __bool__(self) -> bool:
        return not self.trace.holds("==", self.formula, 0)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, int):
            return False
        return self.trace.holds("==", self.formula, formula_of(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: int) -> bool:
        return self.trace.holds("<", self.formula, formula_of(other))

    def __gt__(self, other: int) -> bool:
        return self.trace.holds("<", formula_of(other), self.formula)

    def __le__(self, other: int) -> bool:
        return not self > other

    def __ge__(self, other: int) -> bool:
        return not self < other

    def __str__(self) -> str:
        if self.formula not in self.trace.shown:
            self.trace.shown.append(self.formula)
        return f"{MARK}{self.trace.shown.index(self.formula)}{MARK}"

    def __format__(self, spec: str) -> str:
        return str(self)

    def _refuse(self, *_: object) -> Any:
        raise Untraced

    __hash__ = __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __float__ = _refuse
    __lshift__ = __rshift__ = __and__ = __or__ = __xor__ = __index__ = __round__ = _refuse


def _divided(value: int, by: int) -> tuple[int, int]:
    """Return quotient and rest of the examples; by zero, where the way excludes that, nothing."""
    number = int(by)
    return divmod(int(value), number) if number else (0, 0)


def formula_of(dim: Dim) -> Any:
    """Return the formula of a size that a computation made, None where it is unknown."""
    if isinstance(dim, TracedSize):
        return dim.formula
    if dim is None or isinstance(dim, int):
        return dim
    raise Untraced


class TracedNumber(float):
    """A number that no size or count may depend on: it may be shown, and nothing more."""

    def _refuse(self, *_: object) -> Any:
        raise Untraced

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = _refuse
    __rtruediv__ = __floordiv__ = __mod__ = __pow__ = __neg__ = __int__ = __bool__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = __round__ = _refuse
    __trunc__ = __floor__ = __ceil__ = _refuse


def every_way(run: Callable[[Trace], Any]) -> Any:
    """Return what a computation gives, as a tree: `[sign, a, b, tree if so, tree if not]`.

    An end is `{"is": RESULT}`, or None where nothing is known.

    Raises:
        Untraced: it gives no formula.
    """
    left = MOST_WAYS

    def ways(outcomes: list[bool]) -> Any:
        nonlocal left
        if left == 0:
            return None
        left -= 1
        trace = Trace(list(outcomes))
        try:
            end: Any = {"is": run(trace)}
        except (ZeroDivisionError, ValueError, IndexError, OverflowError):
            end = None  # two comparisons came out as no sizes make them
        # Behind the outcomes that were asked for all are false: their other sides are to be tried.
        for at in reversed(range(len(outcomes), len(trace.conditions))):
            other = ways([*trace.outcomes[:at], True])
            if other != end:
                end = [*trace.conditions[at], other, end]
        return end

    return ways([])
