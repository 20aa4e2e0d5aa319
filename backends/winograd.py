"""Winograd's short convolutions F(m, r): exact transform matrices from interpolation points."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import torch
from torch import Tensor

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


@dataclass(frozen=True, order=True)
class Variant:
    """F(outputs) for one kernel size: (height, width) pairs."""

    kernel: tuple[int, int]
    outputs: tuple[int, int]

    @property
    def name(self) -> str:
        """Its name, in C++ too."""
        return "f_{}_{}_{}_{}".format(*self.outputs, *self.kernel)

    @property
    def transforms(self) -> tuple[Transform, Transform]:
        """The transforms along height and width."""
        (down, across), (height, width) = self.outputs, self.kernel
        return transform(down, height), transform(across, width)

    @property
    def points(self) -> tuple[int, int]:
        """Interpolation points along height and width."""
        down, across = self.transforms
        return down.size, across.size

    def filters(self, weight: Tensor) -> Tensor:
        """Return filters at the points: (O, C, kH, kW) -> (points, C, O) in float64."""
        down, across = (matrix_tensor(t.filter) for t in self.transforms)
        at_points = torch.einsum("ik,jl,ockl->ijco", down, across, weight.double())
        return at_points.flatten(0, 1)


def matrix_tensor(matrix: Matrix) -> Tensor:
    """Return a matrix in float64."""
    return torch.tensor([[float(x) for x in row] for row in matrix], dtype=torch.float64)
