"""Shapes without the batch dimension, their symbolic sizes, and window arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, replace


class ShapeError(Exception):
    """An operation does not fit its inputs; the text states the fact, the caller adds where."""

    def __init__(self, message: str, code: str = "shape-mismatch", help: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.help = help


@dataclass(frozen=True, slots=True)
class SymbolicDim:
    """A size that depends on one input size: `factor * ((symbol + offset) // divisor) + shift`.

    Convolution and pooling keep this form: with `x = (S + a) // b`, a window of `k` and
    stride `s` gives `(x - k + s) // s = (S + a + b * (s - k)) // (b * s)`, because nested
    floors of positive integers merge. So every grid of a network is one exact formula in the
    input size, and two grids agree for every input exactly when their formulas are equal.
    """

    symbol: str
    offset: int = 0
    divisor: int = 1
    factor: int = 1
    shift: int = 0

    def __str__(self) -> str:
        whole, rest = divmod(self.offset, self.divisor)
        inner = self.symbol if rest == 0 else f"({self.symbol}+{rest})"
        text = inner if self.divisor == 1 else f"{inner}//{self.divisor}"
        if self.factor != 1:
            text = f"{self.factor}*({text}{whole:+d})" if whole else f"{self.factor}*({text})"
            whole = 0
        total = whole + self.shift
        return f"{text}{total:+d}" if total else text

    def at(self, size: int) -> int:
        """Return the value for an input of `size`."""
        return self.factor * ((size + self.offset) // self.divisor) + self.shift

    def least(self, minimum: int) -> int:
        """Return the smallest `symbol` for which this size is at least `minimum`."""
        quotient = -(-(minimum - self.shift) // self.factor)
        return quotient * self.divisor - self.offset


Dim = int | SymbolicDim | None
"""A size: a number, a formula in an input size, or None where an error made it unknown."""


class Shape(tuple[Dim, ...]):
    """The shape of one sample, channels first: `(C, H, W)`, or `(C,)` after flattening."""

    __slots__ = ()

    @property
    def channels(self) -> Dim:
        """The first size."""
        return self[0]

    @property
    def grid(self) -> tuple[Dim, ...]:
        """Height and width, or nothing for a vector."""
        return tuple(self[1:])

    @property
    def is_known(self) -> bool:
        """True when every size is a number."""
        return all(isinstance(d, int) for d in self)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The sizes as numbers.

        Raises:
            ValueError: a size is symbolic or unknown.
        """
        out = tuple(d for d in self if isinstance(d, int))
        if len(out) != len(self):
            raise ValueError(f"shape {self.paper} is not all numbers")
        return out

    @property
    def paper(self) -> str:
        """The shape as the paper prints it, height x width x channels: `35x35x384`."""
        return "x".join(show(d) for d in (*self.grid, self.channels))

    def __str__(self) -> str:
        return "(" + ", ".join(("N", *map(show, self))) + ")"


def show(dim: Dim) -> str:
    """Return a size as text, `?` where it is unknown."""
    return "?" if dim is None else str(dim)


Pair = tuple[int, int]
Pads = tuple[Pair, Pair]
"""Padding as ((top, bottom), (left, right))."""


def same_pads(size: int, kernel: int, stride: int, dilation: int) -> Pair:
    """Return TensorFlow's SAME padding (before, after) of one axis; the odd pixel comes last.

    `total = max(0, (ceil(n/s) - 1) * s + d * (k - 1) + 1 - n)`.
    """
    out = -(-size // stride)
    total = max(0, (out - 1) * stride + dilation * (kernel - 1) + 1 - size)
    return total // 2, total - total // 2


def window_size(
    size: Dim, kernel: int, stride: int, pads: Pair, dilation: int = 1, ceil: bool = False
) -> Dim:
    """Return the output size of a sliding window on one axis.

    Floor: `(n + before + after - d*(k-1) - 1) // s + 1`. With `ceil` the division rounds up,
    and a last window that would start in the trailing padding is dropped, as PyTorch does.
    """
    reach = dilation * (kernel - 1) + 1
    grow = sum(pads) - reach + stride
    if ceil:
        grow = min(grow + stride - 1, pads[0] - 1 + stride)
    return floor_divide(size, grow, stride)


def same_size(size: Dim, stride: int) -> Dim:
    """Return `ceil(size / stride)`, the output size under SAME padding."""
    return floor_divide(size, stride - 1, stride)


def floor_divide(size: Dim, add: int, divisor: int) -> Dim:
    """Return `(size + add) // divisor`, exact for symbolic sizes, None where it cannot be."""
    if size is None:
        return None
    if isinstance(size, int):
        return (size + add) // divisor
    if size.factor == 1:
        offset = size.offset + size.divisor * (add + size.shift)
        return replace(size, offset=offset, divisor=size.divisor * divisor, shift=0)
    if size.factor % divisor == 0:
        return replace(size, factor=size.factor // divisor, shift=(size.shift + add) // divisor)
    return None


def times(size: Dim, factor: int) -> Dim:
    """Return `size * factor`."""
    if size is None:
        return None
    if isinstance(size, int):
        return size * factor
    return replace(size, factor=size.factor * factor, shift=size.shift * factor)
