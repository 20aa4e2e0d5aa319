"""Sizes as formulas in letters: sums of products of floor terms, integer-exact, in one normal form.

`(2 * (H // 2 + 1) - 2) // 2` and `H // 2` are one formula: every sum is multiplied out and
sorted, exact multiples are moved out of a floor, and a floor of a floor becomes one floor.
So equal is `==` for whatever windows, strides and factors make of a size, up to sums of several
floors (`H // 2 + (H + 1) // 2` is `H`): those are for `compiler.graph.residues` to decide.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import gcd, lcm, prod

MAX_TERMS = 500
"""Terms of one formula, floors in it included: more is a formula that nobody reads."""
MAX_DEPTH = 12
"""Floors inside floors that cannot be made one."""


class FormulaError(ArithmeticError):
    """A formula has grown out of hand."""


@dataclass(frozen=True, slots=True)
class Floor:
    """`inner // divisor`, with no exact multiple in it."""

    inner: Symbolic
    divisor: int

    def __str__(self) -> str:
        text = str(self.inner)
        return f"{text if _is_letter(self.inner) else f'({text})'}//{self.divisor}"


Atom = str | Floor
"""A letter, or a floor term."""
Product = tuple[Atom, ...]
"""Atoms that are multiplied, in order; without any it is 1."""


@dataclass(frozen=True, slots=True)
class Symbolic:
    """A whole number that depends on letters: `2*(H//2)*W-3`. Made by `letter` and arithmetic.

    `terms` are products with their factors, the constant last; no factor is 0, and there is at
    least one letter: arithmetic whose result is a plain number returns an int.
    """

    terms: tuple[tuple[Product, int], ...]

    def __add__(self, other: Exact) -> Exact:
        return total((self, other))

    __radd__ = __add__

    def __neg__(self) -> Exact:
        return self * -1

    def __sub__(self, other: Exact) -> Exact:
        return total((self, -other))

    def __rsub__(self, other: Exact) -> Exact:
        return total((other, -self))

    def __mul__(self, other: Exact) -> Exact:
        if isinstance(other, int):
            return _collect({product: factor * other for product, factor in self.terms})
        if len(self.terms) * len(other.terms) > MAX_TERMS:
            raise FormulaError(f"a product of {len(self.terms)} by {len(other.terms)} terms")
        out: dict[Product, int] = {}
        for first, factor in self.terms:
            for second, by in other.terms:
                product = tuple(sorted((*first, *second), key=_text))
                out[product] = out.get(product, 0) + factor * by
        return _collect(out)

    __rmul__ = __mul__

    def __floordiv__(self, divisor: int) -> Exact:
        whole: dict[Product, int] = {}
        rest: dict[Product, int] = {}
        for product, factor in self.terms:
            whole[product], rest[product] = divmod(factor, divisor)
        return total((_collect(whole), _floor(_collect(rest), divisor)))

    def __str__(self) -> str:
        factor, parts = _factors(self)
        if len(parts) == 1:
            return _sum(self)
        shown = [_sum(p) if _is_letter(p) else f"({_sum(p)})" for p in parts]
        return "*".join(([str(factor)] if factor != 1 else []) + shown)

    def __repr__(self) -> str:
        return f"<{self}>"

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters in it, sorted."""
        return tuple(sorted({x for product, _ in self.terms for a in product for x in _letters(a)}))

    @property
    def numbers(self) -> tuple[int, ...]:
        """The factors of its terms."""
        return tuple(factor for _, factor in self.terms)

    def at(self, values: Mapping[str, Exact]) -> Exact:
        """Return the value where letters have these values; other letters stay."""
        return total(
            prod((_atom_at(atom, values) for atom in product), start=factor)
            for product, factor in self.terms
        )

    def number_at(self, values: Mapping[str, int]) -> int:
        """Return the number where every letter has a value."""
        out = 0
        for product, factor in self.terms:
            for atom in product:
                factor *= (
                    values[atom]
                    if isinstance(atom, str)
                    else atom.inner.number_at(values) // atom.divisor
                )
            out += factor
        return out

    def period(self, letter: str) -> int:
        """Return P such that for `letter = P * t + r` no floor depends on t."""
        found = [a for product, _ in self.terms for a in product if isinstance(a, Floor)]
        inside = (a for a in found if letter in a.inner.letters)
        return lcm(*(a.divisor * a.inner.period(letter) for a in inside))

    @property
    def growth(self) -> str:
        """How it grows with large letters, without rounding down: `137,012*H*W`."""
        slopes = _slopes(self)
        degree = max(map(len, slopes))
        leading = {names: slope for names, slope in slopes.items() if len(names) == degree}
        return "+".join("*".join((_rounded(slope), *names)) for names, slope in leading.items())

    def slope(self, letter: str) -> Fraction:
        """How it grows with a letter, without rounding down, where nothing is multiplied by it."""
        return _slopes(self).get((letter,), Fraction(0))

    def is_linear(self) -> bool:
        """True without products of letters, in floors too."""
        return all(
            len(product) <= 1 and all(isinstance(a, str) or a.inner.is_linear() for a in product)
            for product, _ in self.terms
        )


Exact = int | Symbolic
"""A number, or a formula."""


def letter(name: str) -> Symbolic:
    """Return the formula that is one letter.

    >>> letter("H") // 2 * 2
    <2*(H//2)>
    """
    return Symbolic((((name,), 1),))


def total(values: Iterable[Exact]) -> Exact:
    """Return the sum."""
    out: dict[Product, int] = {}
    for value in values:
        for product, factor in value.terms if isinstance(value, Symbolic) else (((), value),):
            out[product] = out.get(product, 0) + factor
    return _collect(out)


def _collect(terms: Mapping[Product, int]) -> Exact:
    """Return terms in their order, without those that are zero."""
    kept = [(product, factor) for product, factor in terms.items() if factor]
    if all(not product for product, _ in kept):
        return sum(factor for _, factor in kept)
    if len(kept) > MAX_TERMS:
        raise FormulaError(f"a sum of {len(kept)} terms")
    return Symbolic(tuple(sorted(kept, key=lambda t: (-len(t[0]), tuple(map(_text, t[0]))))))


def _floor(value: Exact, divisor: int) -> Exact:
    """Return `value // divisor` of a value whose factors are at least 0 and less than `divisor`."""
    if isinstance(value, int):
        return 0
    common = gcd(divisor, *(factor for product, factor in value.terms if product))
    if common > 1:  # (c * x + k) // (c * d) = (x + k // c) // d
        parts = {product: factor // common for product, factor in value.terms}
        return _divide(_collect(parts), divisor // common)
    if 2 * value.terms[0][1] > divisor:  # x // d = -((d - 1 - x) // d): the smaller factor
        return -_divide(divisor - 1 - value, divisor)
    for product, factor in value.terms:
        atom = product[0] if product else ""
        if factor == 1 and len(product) == 1 and isinstance(atom, Floor):
            # (a // m + x) // d = (a + m * x) // (m * d)
            others = value - Symbolic(((product, 1),))
            return _divide(atom.inner + others * atom.divisor, divisor * atom.divisor)
    if _depth(value) >= MAX_DEPTH:
        raise FormulaError(f"{MAX_DEPTH} floors inside one another")
    return Symbolic((((Floor(value, divisor),), 1),))


def _divide(value: Exact, divisor: int) -> Exact:
    return value // divisor


def _depth(value: Symbolic) -> int:
    floors = (a for product, _ in value.terms for a in product if isinstance(a, Floor))
    return max((1 + _depth(a.inner) for a in floors), default=0)


def _letters(atom: Atom) -> tuple[str, ...]:
    return (atom,) if isinstance(atom, str) else atom.inner.letters


def _atom_at(atom: Atom, values: Mapping[str, Exact]) -> Exact:
    if isinstance(atom, str):
        return values[atom] if atom in values else letter(atom)
    return atom.inner.at(values) // atom.divisor


# -- text ----------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _text(atom: Atom) -> str:
    return str(atom)


def _factors(value: Symbolic) -> tuple[int, list[Symbolic]]:
    """Return a formula as a number times formulas that share no letter: `3 * (H-2) * (W-2)`."""
    factor = gcd(*(f for _, f in value.terms))
    rest, parts = value, []
    for name in value.letters[:-1]:
        split = _split(rest, name)
        if split is not None:
            parts.append(split[0])
            rest = split[1]
    return factor, [*parts, _over(rest, gcd(*(f for _, f in rest.terms)))]


def _split(value: Symbolic, name: str) -> tuple[Symbolic, Symbolic] | None:
    """Return a formula as (one in the letter alone) * (one without it), None where it is none."""
    rows: dict[Product, dict[Product, int]] = {}
    for product, factor in value.terms:
        if any(name in (names := _letters(a)) and len(names) > 1 for a in product):
            return None
        own = tuple(a for a in product if _letters(a) == (name,))
        rows.setdefault(own, {})[tuple(a for a in product if _letters(a) != (name,))] = factor
    first = next(iter(rows.values()))
    column = {product: factor // gcd(*first.values()) for product, factor in first.items()}
    lead = next(iter(column))
    scale = {own: row.get(lead, 0) // column[lead] for own, row in rows.items()}
    if any(row != {p: f * scale[own] for p, f in column.items()} for own, row in rows.items()):
        return None
    common = gcd(*scale.values())
    one, other = _collect({p: f // common for p, f in scale.items()}), _collect(column)
    if isinstance(one, int) or isinstance(other, int):
        return None
    return one, other


def _over(value: Symbolic, divisor: int) -> Symbolic:
    return Symbolic(tuple((product, factor // divisor) for product, factor in value.terms))


def _slopes(value: Symbolic) -> dict[tuple[str, ...], Fraction]:
    """Return products of letters with their factors, as if no floor rounded down."""
    out: dict[tuple[str, ...], Fraction] = {}
    for product, factor in value.terms:
        parts: dict[tuple[str, ...], Fraction] = {(): Fraction(factor)}
        for atom in product:
            inner = {(atom,): Fraction(1)} if isinstance(atom, str) else _slopes(atom.inner)
            by = 1 if isinstance(atom, str) else atom.divisor
            multiplied: dict[tuple[str, ...], Fraction] = {}
            for (one, a), (two, b) in itertools.product(parts.items(), inner.items()):
                names = tuple(sorted((*one, *two)))
                multiplied[names] = multiplied.get(names, Fraction(0)) + a * b / by
            parts = multiplied
        for names, slope in parts.items():
            out[names] = out.get(names, Fraction(0)) + slope
    return {names: slope for names, slope in out.items() if slope}


def _rounded(slope: Fraction) -> str:
    return f"{float(slope):,.0f}" if abs(slope) >= 100 else f"{float(slope):.3g}"


def _is_letter(value: Symbolic) -> bool:
    (product, factor), *more = value.terms
    return not more and factor == 1 and len(product) == 1 and isinstance(product[0], str)


def _sum(value: Symbolic) -> str:
    out = ""
    for product, factor in sorted(value.terms, key=lambda term: term[1] < 0):
        if not out and factor == -1 and isinstance(product[0], Floor):
            out = f"-({_term(product, 1)})"  # in Python -x//2 is (-x)//2
            continue
        sign = "-" if factor < 0 else "+" if out else ""
        out += sign + _term(product, abs(factor))
    return out


def _term(product: Product, factor: int) -> str:
    if not product:
        return str(factor)
    if factor == 1 and len(product) == 1:
        return _text(product[0])
    shown = [_text(a) if isinstance(a, str) else f"({_text(a)})" for a in product]
    return "*".join(([str(factor)] if factor != 1 else []) + shown)
