"""What makes a grid larger: nearest-neighbour upsampling, and channels spread over pixels."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from dataclasses import dataclass
from typing import ClassVar

from compiler.graph import (
    Dim,
    Op,
    Shape,
    ShapeError,
    Shown,
    Spread,
    Words,
    floor_divide,
    one_map,
    times,
)
from compiler.ops.layer import Fields, Layer, Parts
from compiler.text.fields import Count


@dataclass(frozen=True)
class Upsample(Op):
    """Nearest-neighbour upsampling by a whole factor.

    Shape: `(N, C, H, W) -> (N, C, H*factor, W*factor)`.
    """

    kind: ClassVar[str] = "Upsample"
    drawn_as = "pool"

    factor: int

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one_map(inputs, "upsampling")
        height, width = shape.grid
        return Shape((shape.channels, times(height, self.factor), times(width, self.factor)))

    def is_identity(self, *inputs: Shape) -> bool:
        return self.factor == 1

    def sees(self, shape: Shape) -> Spread:
        return Spread((self.factor, self.factor))

    def words(self, shown: Shown) -> Words:
        return "Upsample", [f"{shown('factor', self.factor)}x"]


@dataclass(frozen=True)
class PixelShuffle(Op):
    """Spread groups of channels over squares of pixels: sub-pixel upsampling (arXiv 1609.05158).

    Channel `(c*factor + i)*factor + j` gives row i and column j of the squares of channel c.
    Shape: `(N, C*factor^2, H, W) -> (N, C, H*factor, W*factor)`.
    """

    kind: ClassVar[str] = "PixelShuffle"
    drawn_as = "reshape"

    factor: int

    def infer_shape(self, *inputs: Shape) -> Shape:
        channels, *grid = one_map(inputs, "pixel shuffle")
        square = self.factor**2
        if isinstance(channels, int) and channels % square:
            pixels = f"{self.factor}x{self.factor} pixels"
            raise ShapeError(
                f"{channels} channels cannot be spread over squares of {pixels} "
                f"({channels} % {square} = {channels % square})",
                "groups-mismatch",
                f"give it a multiple of {square} channels",
            )
        return Shape((floor_divide(channels, 0, square), *self._spread(*grid)))

    def known_shape(self, *inputs: Shape) -> Shape:
        grid = inputs[0].grid if inputs else ()
        return Shape((None, *(self._spread(*grid) if len(grid) == 2 else (None, None))))

    def _spread(self, *grid: Dim) -> tuple[Dim, ...]:
        return tuple(times(size, self.factor) for size in grid)

    def is_identity(self, *inputs: Shape) -> bool:
        return self.factor == 1

    def sees(self, shape: Shape) -> Spread:
        return Spread((self.factor, self.factor))

    def words(self, shown: Shown) -> Words:
        return "Pixel shuffle", [f"{shown('factor', self.factor)}x"]


class UpsampleLayer(Layer):
    """Nearest-neighbour upsampling."""

    op = "upsample"
    upsample: Count
    """whole factor"""

    def operations(self, fields: Fields) -> Parts:
        return [("", Upsample(fields.integer("upsample", "factor") or 1))]


class PixelShuffleLayer(Layer):
    """Spread groups of channels over squares of pixels (sub-pixel upsampling)."""

    op = "pixel_shuffle"
    pixel_shuffle: Count
    """whole factor, whose square divides the channels"""

    def operations(self, fields: Fields) -> Parts:
        return [("", PixelShuffle(fields.integer("pixel_shuffle", "factor") or 1))]
