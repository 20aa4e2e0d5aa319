"""Joining tensors: concat, add, subtract, multiply, maximum."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from dataclasses import dataclass
from typing import ClassVar

from compiler.graph import Dim, Op, Shape, ShapeError, Shown, Words, plus
from compiler.graph.residues import equal
from compiler.graph.symbolic import Exact
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

    @property
    def verb(self) -> str:
        """What it does with its operands, for a message: cannot `add` 8x8x16 with 8x8x32."""
        return self.kind.lower()

    @property
    def way_out(self) -> str:
        """How operands are made to fit, whichever they are."""
        return f"project one of them with a 1x1 convolution that has {SAME_STRIDE}"


SAME_STRIDE = "the same total stride"
"""What the help says for grids that differ in numbers."""


@dataclass(frozen=True)
class Concat(Join):
    """Stack channels in operand order. Shape: `(N, C_i, H, W) -> (N, sum C_i, H, W)`."""

    kind: ClassVar[str] = "Concat"
    drawn_as = "concat"

    def compared(self, shape: Shape) -> tuple[Dim, ...]:
        return shape.grid

    def joined(self, *inputs: Shape) -> Shape:
        grid = map(agreed, self.matching(*inputs))
        channels, *_ = zip(*inputs, strict=True)
        return Shape((plus(channels), *grid))

    def known_shape(self, *inputs: Shape) -> Shape:
        channels = [s.channels for s in inputs]
        numbers = [c for c in channels if isinstance(c, int)]
        total = sum(numbers) if inputs and len(numbers) == len(channels) else None
        grids = [s.grid for s in inputs]
        if len({len(g) for g in grids}) != 1:
            return Shape((total, None, None))
        dims = zip(*grids, strict=True)
        return Shape((total, *(d[0] if d.count(d[0]) == len(d) else None for d in dims)))

    def words(self, shown: Shown) -> Words:
        return "Filter concat", []

    @property
    def needs(self) -> str:
        return "concat needs the same height and width from every operand"

    @property
    def way_out(self) -> str:
        return f"give the branches {SAME_STRIDE}, or pad them alike"


@dataclass(frozen=True)
class Add(Join):
    """Add operands of one shape element by element; nothing is broadcast. Shape: kept."""

    kind: ClassVar[str] = "Add"
    drawn_as = "add"

    def words(self, shown: Shown) -> Words:
        return "+", []


@dataclass(frozen=True)
class Subtract(Join):
    """Subtract the second operand from the first, element by element. Shape: kept."""

    kind: ClassVar[str] = "Subtract"
    drawn_as = "add"

    def words(self, shown: Shown) -> Words:
        return "-", []

    def matching(self, *inputs: Shape) -> tuple[tuple[Dim, ...], ...]:
        if len(inputs) != 2:
            raise ShapeError(f"subtract takes two operands, it has {len(inputs)}", "operand-count")
        return super().matching(*inputs)


@dataclass(frozen=True)
class Maximum(Join):
    """Take the largest of the operands' elements at each place (maxout). Shape: kept."""

    kind: ClassVar[str] = "Maximum"
    drawn_as = "add"

    def words(self, shown: Shown) -> Words:
        return "Maximum", []

    @property
    def verb(self) -> str:
        return "take the maximum of"


@dataclass(frozen=True)
class Multiply(Join):
    """Multiply element by element.

    A 1x1 operand is spread over the grid (a channel gate), one of one channel over the channels (a
    spatial gate). Shape: that of the first operand.
    """

    kind: ClassVar[str] = "Multiply"
    drawn_as = "add"

    def words(self, shown: Shown) -> Words:
        return "\u00d7", []

    def matching(self, *inputs: Shape) -> tuple[tuple[Dim, ...], ...]:
        return super().matching(*(_spread(s, inputs[0]) for s in inputs))


def _spread(shape: Shape, first: Shape) -> Shape:
    """Return the shape of a factor when it is spread over the grid or the channels of the first."""
    if len(shape) != 3 or len(first) != 3:
        return shape
    channels = first.channels if shape.channels == 1 else shape.channels
    return Shape((channels, *(first.grid if shape.grid == (1, 1) else shape.grid)))


def agree(dims: tuple[Dim, ...]) -> bool:
    """True when the known sizes are all the same, for every size of the input."""
    known = [d for d in dims if d is not None]
    return all(d == known[0] or _equal_formulas(known[0], d) for d in known[1:])


def _equal_formulas(first: Exact, second: Exact) -> bool:
    return not (isinstance(first, int) and isinstance(second, int)) and equal(first, second)


def agreed(dims: tuple[Dim, ...]) -> Dim:
    """Return the size that the operands agree on, None if none of them is known."""
    return next((d for d in dims if d is not None), None)


def majority(dims: tuple[Dim, ...]) -> Dim:
    """Return the commonest known size, the first operand's on a tie; None if none is known."""
    known = [d for d in dims if d is not None]
    return max(known, key=known.count, default=None)


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


class SubtractLayer(JoinLayer):
    """Subtract the second of two named layers from the first."""

    op = "subtract"
    subtract: list[str]
    """names, of two"""

    def operations(self, fields: Fields) -> Parts:
        return [("", Subtract())]


class MaximumLayer(JoinLayer):
    """Take the largest element of named layers of one shape at each place."""

    op = "maximum"
    maximum: list[str]
    """names"""

    def operations(self, fields: Fields) -> Parts:
        return [("", Maximum())]


class MultiplyLayer(JoinLayer):
    """Multiply named layers; a map of 1x1, or of one channel, is spread over those before it."""

    op = "multiply"
    multiply: list[str]
    """names"""

    def operations(self, fields: Fields) -> Parts:
        return [("", Multiply())]
