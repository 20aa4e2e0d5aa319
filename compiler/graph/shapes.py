"""Shapes without the batch dimension, their symbolic sizes, and window arithmetic."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from math import prod

from compiler.graph.symbolic import Exact, FormulaError, Symbolic, total

MAX_SIZE = 10**15
"""Elements: more is in no memory."""


class ShapeError(Exception):
    """An operation does not fit its inputs; the text states the fact, the caller adds where."""

    def __init__(self, message: str, code: str = "shape-mismatch", help: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.help = help


Dim = int | Symbolic | None
"""A size: a number, a formula in input sizes, or None where an error made it unknown."""


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
        return show_sizes((*self.grid, self.channels))

    def __str__(self) -> str:
        return "(" + ", ".join(("N", *map(show, self))) + ")"


def number(dim: Dim) -> int:
    """Return a size as a number.

    Raises:
        ValueError: it is symbolic or unknown.
    """
    if not isinstance(dim, int):
        raise ValueError(f"the size {show(dim)} is no number")
    return dim


def show(dim: Dim) -> str:
    """Return a size as text, `?` where it is unknown."""
    return "?" if dim is None else str(dim)


def show_sizes(dims: Sequence[Dim]) -> str:
    """Return sizes as text, height x width; what could be misread is in brackets.

    >>> from compiler.graph import letter
    >>> show_sizes((letter("H") // 2, 32 * letter("W"), 8))
    '(H//2)x32*Wx8'
    """
    texts = [show(dim) for dim in dims]
    if len(texts) == 1:
        return texts[0]
    return "x".join(f"({text})" if _COMPOUND.search(text) else text for text in texts)


_COMPOUND = re.compile("[-+/x]")


LONGEST = 22
"""Characters of a formula for a count; of a longer one its growth is shown."""


def show_count(count: Dim) -> str:
    """Return a count as text: `1,536`, `27*H*W`, `?`; of a long formula how it grows."""
    if isinstance(count, int):
        return f"{count:,}"
    text = show(count)
    return text if count is None or len(text) <= LONGEST else f"~{count.growth}"


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
    """Return `(size + add) // divisor`."""
    return None if size is None else _checked(lambda: (size + add) // divisor)


def times(*sizes: Dim) -> Dim:
    """Return the product of sizes, None where one is unknown."""
    known = [size for size in sizes if size is not None]
    return _checked(lambda: prod(known)) if len(known) == len(sizes) else None


def plus(sizes: Iterable[Dim]) -> Dim:
    """Return the sum of sizes, None where one is unknown."""
    number, formulas = 0, list[Symbolic]()
    for size in sizes:
        if size is None:
            return None
        if isinstance(size, int):
            number += size
        else:
            formulas.append(size)
    return _checked(lambda: total((number, *formulas))) if formulas else number


def tally(counts: Iterable[Dim]) -> Dim:
    """Return the sum of counts, None where one is unknown or the sum is no readable formula."""
    try:
        return plus(counts)
    except ShapeError:
        return None


def _checked(compute: Callable[[], Exact]) -> Exact:
    """Return a size that is computed.

    Raises:
        ShapeError: `symbolic-size`, it is too long a formula.
    """
    try:
        return compute()
    except FormulaError as error:
        text = f"its size is no readable formula: {error}"
        raise ShapeError(text, "symbolic-size", "give the input a fixed size") from None


def check_bounds(shape: Shape) -> None:
    """Refuse sizes that no memory holds.

    Raises:
        ShapeError: `too-large`.
    """
    for size in shape:
        if size is None:
            continue
        most = abs(size) if isinstance(size, int) else max(map(abs, size.numbers))
        if most > MAX_SIZE:
            help = "lower the factors or the `repeat` that multiply it"
            raise ShapeError(f"its size is more than {MAX_SIZE:,}", "too-large", help)
