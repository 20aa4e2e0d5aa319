"""Joining tensors: concat, add, multiply; and taking channels out again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from compiler.ops.base import Op, one
from compiler.shapes import Dim, Shape, ShapeError


@dataclass(frozen=True)
class Concat(Op):
    """Stack channels in operand order. Shape: `(N, C_i, H, W) -> (N, sum C_i, H, W)`."""

    kind: ClassVar[str] = "Concat"

    def infer_shape(self, *inputs: Shape) -> Shape:
        _check_operands(inputs, self.kind)
        if len({len(s) for s in inputs}) > 1 or not all(
            map(agree, _transposed(s.grid for s in inputs))
        ):
            raise ShapeError("concat needs the same height and width from every operand")
        return Shape(
            (
                _total([s.channels for s in inputs]),
                *map(agreed, _transposed(s.grid for s in inputs)),
            )
        )


@dataclass(frozen=True)
class Add(Op):
    """Add operands of one shape element by element; nothing is broadcast. Shape: kept."""

    kind: ClassVar[str] = "Add"

    def infer_shape(self, *inputs: Shape) -> Shape:
        return _equal_shapes(inputs, self.kind)


@dataclass(frozen=True)
class Multiply(Op):
    """Multiply element by element; a 1x1 operand is spread over the grid (a channel gate).

    Shape: that of the first operand.
    """

    kind: ClassVar[str] = "Multiply"

    def infer_shape(self, *inputs: Shape) -> Shape:
        _check_operands(inputs, self.kind)
        first = inputs[0]
        gates = [Shape((s.channels, *first.grid)) if s.grid == (1, 1) else s for s in inputs]
        return _equal_shapes(tuple(gates), self.kind)


@dataclass(frozen=True)
class Slice(Op):
    """Take channels `start` to `stop` (exclusive).

    Shape: `(N, C, H, W) -> (N, stop-start, H, W)`.
    """

    kind: ClassVar[str] = "Slice"

    start: int
    stop: int

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one(inputs, "slice")
        if isinstance(shape.channels, int) and not 0 <= self.start < self.stop <= shape.channels:
            raise ShapeError(f"slice {self.start}:{self.stop} is outside {shape.channels} channels")
        return Shape((self.stop - self.start, *shape.grid))


def _check_operands(inputs: tuple[Shape, ...], kind: str) -> None:
    if not inputs:
        raise ShapeError(f"{kind.lower()} needs at least one operand", "operand-count")


def _transposed(shapes: Iterable[tuple[Dim, ...]]) -> Iterator[tuple[Dim, ...]]:
    """Yield the operands' first sizes, their second ones, ...; the ranks are equal."""
    return zip(*shapes, strict=True)


def _equal_shapes(inputs: tuple[Shape, ...], kind: str) -> Shape:
    _check_operands(inputs, kind)
    if len({len(s) for s in inputs}) > 1 or not all(map(agree, _transposed(inputs))):
        raise ShapeError(f"{kind.lower()} needs operands of one shape")
    return Shape(map(agreed, _transposed(inputs)))


def agree(dims: tuple[Dim, ...]) -> bool:
    """True when the known sizes are all the same."""
    return len({d for d in dims if d is not None}) <= 1


def agreed(dims: tuple[Dim, ...]) -> Dim:
    """Return the size that the operands agree on, None if none of them is known."""
    return next((d for d in dims if d is not None), None)


def majority(dims: tuple[Dim, ...]) -> Dim:
    """Return the commonest known size, the first operand's on a tie; None if none is known."""
    counts = Counter(d for d in dims if d is not None)
    return max(counts, key=lambda d: counts[d]) if counts else None


def _total(dims: list[Dim]) -> Dim:
    numbers = [d for d in dims if isinstance(d, int)]
    return sum(numbers) if len(numbers) == len(dims) else None
