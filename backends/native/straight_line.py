"""A product with a constant matrix as straight-line C++; what two results share is computed once.

Interpolation points come in pairs p and -p, so two rows of a data transform differ in the signs
of every other entry: with the sum of the even terms and that of the odd ones, one row is their
sum and the other their difference. In an output transform the same holds of two columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from backends.winograd import Matrix

Row = tuple[Fraction, ...]


class StraightLine:
    """Statements `const vec NAME = ...;` in order; names start with a prefix."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.lines: list[str] = []

    def let(self, value: str) -> str:
        """Add a statement and return the name of its value; a name alone needs none."""
        if value.replace("_", "").isalnum():
            return value
        name = f"{self.prefix}{len(self.lines)}"
        self.lines.append(f"const vec {name} = {value};")
        return name

    def apply(self, matrix: Matrix, names: Sequence[str]) -> list[str]:
        """Return the names of `matrix @ names`, after the statements that compute them."""
        columns, names = self._fold_columns(list(zip(*matrix, strict=True)), list(names))
        rows: list[Row] = list(zip(*columns, strict=True))
        made: dict[int, str] = {}
        for i, row in enumerate(rows):
            partner = next((j for j in range(i + 1, len(rows)) if _pairs(row, rows[j])), None)
            if i in made:
                continue
            if partner is None or partner in made:
                made[i] = self.let(combination(row, names))
                continue
            other = rows[partner]
            equal = tuple(a if a == b else Fraction(0) for a, b in zip(row, other, strict=True))
            opposite = tuple(a if a != b else Fraction(0) for a, b in zip(row, other, strict=True))
            same = self.let(combination(equal, names))
            turned = self.let(combination(opposite, names))
            made[i] = self.let(f"{same} + {turned}")
            made[partner] = self.let(f"{same} - {turned}")
        return [made[i] for i in range(len(rows))]

    def _fold_columns(self, columns: list[Row], names: list[str]) -> tuple[list[Row], list[str]]:
        """Replace columns that pair by two that hold the sum and the difference of their names."""
        left = list(range(len(columns)))
        out: list[tuple[Row, str]] = []
        while left:
            i = left.pop(0)
            j = next((j for j in left if _pairs(columns[i], columns[j])), None)
            if j is None:
                out.append((columns[i], names[i]))
                continue
            left.remove(j)
            pairs = list(zip(columns[i], columns[j], strict=True))
            equal = tuple(a if a == b else Fraction(0) for a, b in pairs)
            opposite = tuple(a if a != b else Fraction(0) for a, b in pairs)
            out.append((equal, self.let(f"{names[i]} + {names[j]}")))
            out.append((opposite, self.let(f"{names[i]} - {names[j]}")))
        return [column for column, _ in out], [name for _, name in out]


def _pairs(a: Row, b: Row) -> bool:
    """Say whether two rows agree up to signs, with at least two entries of either kind."""
    if any(abs(x) != abs(y) for x, y in zip(a, b, strict=True)):
        return False
    equal = sum(x == y != 0 for x, y in zip(a, b, strict=True))
    return equal >= 1 and sum(x != y for x, y in zip(a, b, strict=True)) >= 1


def combination(factors: Row, names: Sequence[str]) -> str:
    """Return a sum of names times constants as an expression, without the terms that are 0."""
    terms = []
    for factor, name in zip(factors, names, strict=True):
        if factor:
            sign = "-" if factor < 0 else "+"
            size = abs(factor)
            terms.append(f"{sign} {name}" if size == 1 else f"{sign} {float(size):.9e}f * {name}")
    return " ".join(terms).removeprefix("+ ")
