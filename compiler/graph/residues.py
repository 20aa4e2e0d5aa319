"""For which sizes two formulas are equal: decided on residues, never guessed.

Within one class of sizes that leave the same rest modulo the formula's period, no floor moves:
`(H + 1) // 2` is `t + 1` for every `H = 2 * t + 1`. There a formula is a polynomial, and two
polynomials are equal everywhere or at single sizes only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import lcm, prod

from compiler.errors import limit
from compiler.graph.symbolic import Exact, Symbolic, letter


@dataclass(frozen=True, slots=True)
class Sizes:
    """Whole numbers from `least` on: those with certain rests modulo a period, and a few more."""

    period: int = 1
    rests: frozenset[int] = frozenset({0})
    others: frozenset[int] = frozenset()
    """Single sizes whose rest is not among `rests`."""
    least: int = 1

    def __contains__(self, size: object) -> bool:
        if not isinstance(size, int):
            return False
        return size >= self.least and (size % self.period in self.rests or size in self.others)

    def __bool__(self) -> bool:
        return bool(self.rests) or any(size >= self.least for size in self.others)

    def near(self, size: int) -> tuple[int | None, int | None]:
        """Return the largest member up to `size`, and the smallest from `size` on."""
        below = [s for s in self.others if self.least <= s <= size]
        above = [s for s in self.others if s >= max(size, self.least)]
        for rest in self.rests:
            down = size - (size - rest) % self.period
            up = max(size, self.least)
            above.append(up + (rest - up) % self.period)
            if down >= self.least:
                below.append(down)
        return max(below, default=None), min(above, default=None)

    def times(self, factor: int) -> Sizes:
        """Return these sizes multiplied by a number."""
        rests, others = (frozenset(factor * n for n in s) for s in (self.rests, self.others))
        return Sizes(self.period * factor, rests, others, self.least * factor)

    def both(self, other: Sizes) -> Sizes:
        """Return the sizes that are in this and in the other set."""
        period = lcm(self.period, other.period)
        rests = frozenset(
            first + self.period * step
            for first in self.rests
            for step in range(period // self.period)
            if (first + self.period * step) % other.period in other.rests
        )
        single = (s for s in self.others | other.others if s in self and s in other)
        least = max(self.least, other.least)
        others = frozenset(s for s in single if s % period not in rests)
        return _reduced(period, rests, others, least)

    def words(self, plural: bool = False) -> str:
        """Return what the sizes are: `a multiple of 16`, plural `multiples of 16`; "" if any."""
        parts = [_words(self.period, sorted(self.rests), plural)] if self.rests else []
        more = sorted(size for size in self.others if size >= self.least)
        parts += [_span(*run) for run in _runs(more)]
        return " or ".join(parts)


def _reduced(period: int, rests: frozenset[int], others: frozenset[int], least: int) -> Sizes:
    """Return the same sizes with the smallest period."""
    if not rests:
        return Sizes(1, rests, others, least)
    for small in (d for d in range(1, period + 1) if period % d == 0):
        few = frozenset(rest % small for rest in rests)
        if len(few) * (period // small) == len(rests):
            return Sizes(small, few, others, least)
    raise AssertionError("the period itself is one")


def _words(period: int, rests: list[int], plural: bool) -> str:
    if period == 1:
        return ""
    if period == 2:
        return "even" if rests == [0] else "odd"
    multiple = f"multiples of {period}" if plural else f"a multiple of {period}"
    if rests == [0]:
        return multiple
    runs = list(_runs(rests, period))
    if len(runs) == 1 and 0 in rests:
        ((first, last),) = runs
        less = f"at most {period - first} less" if first else ""
        more = f"at most {last % period} more" if last % period else ""
        return f"{' or '.join(filter(None, (less, more)))} than {multiple}"
    spans = [_span(*run) for run in runs]
    if len(spans) > 3:
        spans = [*spans[:3], "..."]
    return f"{', '.join(spans)} more than {multiple}"


def _runs(numbers: list[int], period: int = 0) -> Iterator[tuple[int, int]]:
    """Yield numbers that follow one another as (first, last); rests go on after the period."""
    there = {*numbers, *(n + period for n in numbers), *(n - period for n in numbers)}
    for start in numbers:
        if start - 1 in there:
            continue
        end = start
        while end + 1 in there:
            end += 1
        yield start, end


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


@lru_cache(maxsize=4096)
def equal(first: Exact, second: Exact) -> bool:
    """Return whether two sizes are the same for every value of their letters.

    False too where that would take more classes of sizes than `limit("size_classes")`.
    """
    difference = first - second
    if isinstance(difference, int):
        return difference == 0
    periods = {name: difference.period(name) for name in difference.letters}
    if prod(periods.values()) > limit("size_classes"):
        return False
    return all(_is_zero(difference, periods, rests) for rests in _classes(periods))


def _classes(periods: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Yield every combination of rests, one for each letter."""
    for rests in product(*map(range, periods.values())):
        yield dict(zip(periods, rests, strict=True))


def _is_zero(difference: Symbolic, periods: Mapping[str, int], rests: Mapping[str, int]) -> bool:
    """Return whether a formula is 0 at all sizes of one class."""
    if difference.number_at(rests):
        return False
    inside = {name: letter(name) * period + rests[name] for name, period in periods.items()}
    return difference.at(inside) == 0


@lru_cache(maxsize=4096)
def where_zero(difference: Symbolic) -> Sizes | None:
    """Return the sizes at which a formula in one letter is 0.

    None where that is undecided: several letters, a product of letters, or more classes than
    `limit("size_classes")`.
    """
    if len(difference.letters) != 1 or not difference.is_linear():
        return None
    (name,) = difference.letters
    period = difference.period(name)
    if period > limit("size_classes"):
        return None
    start = [difference.number_at({name: rest}) for rest in range(period)]
    slope = difference.number_at({name: period}) - start[0]
    if slope == 0:
        rests = frozenset(rest for rest, value in enumerate(start) if value == 0)
        return _reduced(period, rests, frozenset(), 1)
    steps = ((rest, divmod(-value, slope)) for rest, value in enumerate(start))
    roots = (rest + period * count for rest, (count, left) in steps if left == 0 and count >= 0)
    return Sizes(1, frozenset(), frozenset(root for root in roots if root >= 1))
