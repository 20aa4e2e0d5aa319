"""Winograd's short convolutions F(m, r): exact transform matrices from interpolation points."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

Matrix = tuple[tuple[Fraction, ...], ...]

POINTS = tuple(
    map(Fraction, ("0", "1", "-1", "1/2", "-1/2", "2", "-2", "3/2", "-3/2", "2/3", "-2/3"))
)
"""Interpolation points in the order of use; infinity is always the last one.

Small, in pairs of opposite sign, and with reciprocals: that keeps the rounding errors of the
transforms small (Barabasz et al., arXiv 1803.10986).
"""


@dataclass(frozen=True)
class Transform:
    """`y = A [(G g) * (B d)]`: m outputs of a correlation with r taps by m + r - 1 products.

    `data` is B (n, n), `filter` is G (n, r), `output` is A (m, n), with n = m + r - 1.
    """

    outputs: int
    taps: int
    data: Matrix
    filter: Matrix
    output: Matrix

    @property
    def size(self) -> int:
        """Number of products and of input pixels: n = m + r - 1."""
        return self.outputs + self.taps - 1


@cache
def transform(outputs: int, taps: int) -> Transform:
    """Return F(outputs, taps) by the Toom-Cook construction; F(1, r) for r = 1 is the identity.

    Raises:
        ValueError: it needs more interpolation points than `POINTS` holds.
    """
    size = outputs + taps - 1
    if size - 1 > len(POINTS):
        raise ValueError(f"F({outputs}, {taps}) needs {size - 1} points, there are {len(POINTS)}")
    points = POINTS[: size - 1]
    norms = [_product(a - b for b in points if b != a) for a in points]
    data = [_coefficients([b for b in points if b != a], size) for a in points]
    data.append(_coefficients(list(points), size))
    filters = [tuple(a**j / n for j in range(taps)) for a, n in zip(points, norms, strict=True)]
    filters.append(tuple(Fraction(j == taps - 1) for j in range(taps)))
    output = [(*(a**j for a in points), Fraction(j == outputs - 1)) for j in range(outputs)]
    return Transform(outputs, taps, tuple(data), tuple(filters), tuple(output))


def _product(values: object) -> Fraction:
    out = Fraction(1)
    for value in values:  # type: ignore[attr-defined]
        out *= value
    return out


def _coefficients(roots: list[Fraction], size: int) -> tuple[Fraction, ...]:
    """Return the coefficients of the polynomial with these roots, lowest degree first."""
    out = [Fraction(1)]
    for root in roots:
        out = [
            low - root * high
            for low, high in zip([Fraction(0), *out], [*out, Fraction(0)], strict=True)
        ]
    return tuple(out + [Fraction(0)] * (size - len(out)))
