"""Joining tensors: concat, add, multiply; and taking channels out again."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from compiler.graph import Dim, Op, Shape, ShapeError, Shown, Words, one, plus
from compiler.graph.residues import equal
from compiler.ops.layer import Fields, JoinLayer, Parts


@dataclass(frozen=True)
class Join(Op):
    """An operation on several tensors, some of whose sizes must be the same."""

    def matching(self, *inputs: Shape) -> tuple[tuple[Dim, ...], ...]:
        """Return the sizes that must be the same, axis by axis.

        Raises:
            ShapeError: vectors beside maps, or no operand.
        """
        if not inputs:
            raise ShapeError(f"{self.kind.lower()} needs at least one operand", "operand-count")
        if len({len(s) for s in inputs}) > 1:
            raise ShapeError(self.needs)
        return tuple(zip(*map(self.compared, inputs), strict=True))

    def compared(self, shape: Shape) -> tuple[Dim, ...]:
        """Return the part of an operand's shape that is compared: all of it."""
        return shape

    def joined(self, *inputs: Shape) -> Shape:
        """Return the output shape of operands that agree."""
        return Shape(map(agreed, self.matching(*inputs)))

    def infer_shape(self, *inputs: Shape) -> Shape:
        if not all(map(agree, self.matching(*inputs))):
            raise ShapeError(self.needs)
        return self.joined(*inputs)

    def is_identity(self, *inputs: Shape) -> bool:
        return len(inputs) == 1

    def known_shape(self, *inputs: Shape) -> Shape:
        """Return what most operands have, on a tie the first: a residual's shortcut."""
        if not inputs or len({len(s) for s in inputs}) > 1:
            return super().known_shape(*inputs)
        return Shape(map(majority, zip(*inputs, strict=True)))

    @property
    def needs(self) -> str:
        """What the operation needs, for a message."""
        return f"{self.kind.lower()} needs operands of one shape"


@dataclass(frozen=True)
class Concat(Join):
    """Stack channels in operand order. Shape: `(N, C_i, H, W) -> (N, sum C_i, H, W)`."""

    kind: ClassVar[str] = "Concat"
    drawn_as = "concat"

    def compared(self, shape: Shape) -> tuple[Dim, ...]:
        return shape.grid

    def joined(self, *inputs: Shape) -> Shape:
        return Shape((plus(s.channels for s in inputs), *map(agreed, self.matching(*inputs))))

    def known_shape(self, *inputs: Shape) -> Shape:
        channels = [s.channels for s in inputs]
        numbers = [c for c in channels if isinstance(c, int)]
        total = sum(numbers) if inputs and len(numbers) == len(channels) else None
        grids = [s.grid for s in inputs]
        if len({len(g) for g in grids}) != 1:
            return Shape((total, None, None))
        dims = zip(*grids, strict=True)
        return Shape((total, *(d[0] if len(set(d)) == 1 else None for d in dims)))

    def words(self, shown: Shown) -> Words:
        return "Filter concat", []

    @property
    def needs(self) -> str:
        return "concat needs the same height and width from every operand"


@dataclass(frozen=True)
class Add(Join):
    """Add operands of one shape element by element; nothing is broadcast. Shape: kept."""

    kind: ClassVar[str] = "Add"
    drawn_as = "add"

    def words(self, shown: Shown) -> Words:
        return "+", []


@dataclass(frozen=True)
class Multiply(Join):
    """Multiply element by element; a 1x1 operand is spread over the grid (a channel gate).

    Shape: that of the first operand.
    """

    kind: ClassVar[str] = "Multiply"
    drawn_as = "add"

    def words(self, shown: Shown) -> Words:
        return "\u00d7", []

    def matching(self, *inputs: Shape) -> tuple[tuple[Dim, ...], ...]:
        spread = [Shape((s.channels, *inputs[0].grid)) if s.grid == (1, 1) else s for s in inputs]
        return super().matching(*spread)


@dataclass(frozen=True)
class Slice(Op):
    """Take channels `start` to `stop` (exclusive).

    Shape: `(N, C, H, W) -> (N, stop-start, H, W)`.
    """

    kind: ClassVar[str] = "Slice"
    drawn_as = "reshape"

    start: int
    stop: int

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one(inputs, "slice")
        if isinstance(shape.channels, int) and not 0 <= self.start < self.stop <= shape.channels:
            raise ShapeError(f"slice {self.start}:{self.stop} is outside {shape.channels} channels")
        return Shape((self.stop - self.start, *shape.grid))

    def is_identity(self, *inputs: Shape) -> bool:
        return (self.start, self.stop) == (0, inputs[0].channels)

    def known_shape(self, *inputs: Shape) -> Shape:
        return Shape((self.stop - self.start, *(inputs[0].grid if inputs else ())))

    def words(self, shown: Shown) -> Words:
        return "Channels", [f"{self.start} to {self.stop - 1}"]


def agree(dims: tuple[Dim, ...]) -> bool:
    """True when the known sizes are all the same, for every size of the input."""
    known = [d for d in dims if d is not None]
    return all(d == known[0] or equal(known[0], d) for d in known[1:])


def agreed(dims: tuple[Dim, ...]) -> Dim:
    """Return the size that the operands agree on, None if none of them is known."""
    return next((d for d in dims if d is not None), None)


def majority(dims: tuple[Dim, ...]) -> Dim:
    """Return the commonest known size, the first operand's on a tie; None if none is known."""
    counts = Counter(d for d in dims if d is not None)
    return max(counts, key=lambda d: counts[d]) if counts else None


class ConcatLayer(JoinLayer):
    """Stack the channels of named layers, in this order."""

    op = "concat"
    concat: list[str]
    """names"""

    def operations(self, fields: Fields) -> Parts:
        return [("", Concat())]


class AddLayer(JoinLayer):
    """Add named layers of one shape."""

    op = "add"
    add: list[str]
    """names"""

    def operations(self, fields: Fields) -> Parts:
        return [("", Add())]


class MultiplyLayer(JoinLayer):
    """Multiply named layers; a 1x1 map is spread over the grid, and comes after what it gates."""

    op = "multiply"
    multiply: list[str]
    """names"""

    def operations(self, fields: Fields) -> Parts:
        return [("", Multiply())]
