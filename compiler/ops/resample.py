"""What makes a grid larger: upsampling, and channels spread over pixels."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from compiler.errors import Diagnostic
from compiler.graph import (
    Dim,
    Op,
    Pair,
    Reach,
    Sees,
    Shape,
    ShapeError,
    Shown,
    Spread,
    Window,
    Words,
    floor_divide,
    one_map,
    show_sizes,
    times,
)
from compiler.ops.layer import Fields, Layer, Parts
from compiler.ops.merge import agree
from compiler.text.fields import Choice, Count, Flag, Reader, Target, words

MODES = ("nearest", "bilinear")


@dataclass(frozen=True)
class Upsample(Op):
    """Resize a map by a whole factor, to a size, or to the height and width of a second operand.

    Shape: `(N, C, H, W) -> (N, C, H*factor, W*factor)`, or `(N, C, *size)`. Row i takes row
    `i * H // H'` of the input (`nearest`), or lies between two at `(i + 0.5) * H / H' - 0.5`, not
    before the first and not behind the last; with `align_corners` at `i * (H - 1) / (H' - 1)`.
    """

    kind: ClassVar[str] = "Upsample"
    drawn_as = "pool"

    factor: int | None = None
    size: Pair | None = None
    """(height, width); None with a factor, and where a second operand has it."""
    mode: Literal["nearest", "bilinear"] = "nearest"
    align_corners: bool = False

    @property
    def computes_with(self) -> int | None:
        return 1

    def infer_shape(self, *inputs: Shape) -> Shape:
        if self.factor is None:
            shape, grid = sized(inputs, self.size, "upsampling")
            return Shape((shape.channels, *grid))
        shape = one_map(inputs, "upsampling")
        return Shape((shape.channels, *(times(size, self.factor) for size in shape.grid)))

    def known_shape(self, *inputs: Shape) -> Shape:
        return Shape((inputs[0].channels if inputs else None, *(self.size or (None, None))))

    def is_identity(self, *inputs: Shape) -> bool:
        return self.infer_shape(*inputs) == inputs[0]

    def sees(self, *inputs: Shape) -> Sees:
        grids = zip(inputs[0].grid, self.infer_shape(*inputs).grid, strict=True)
        ratios = [_ratio(size, made) for size, made in grids]
        if None in ratios:
            return Reach.MAP if self.size else Reach.ALL
        height, width = (ratio or 1 for ratio in ratios)
        if self.mode == "nearest":
            return Spread((height, width))
        if self.align_corners:  # the least and the most over all rows of a map of any size
            return Spread((height, width), (1 - height, 1 - width), (height - 1, width - 1))
        before = (-(height // 2), -(width // 2))
        return Spread((height, width), before, (height // 2, width // 2))

    def words(self, shown: Shown) -> Words:
        details = [_times(str(shown("factor", self.factor)))] if self.factor is not None else []
        details += [f"to {shown('size', self.size)}"] if self.size is not None else []
        details += shown.named("mode") or ([] if self.mode == "nearest" else [self.mode])
        named = shown.named("align_corners", "align corners if")
        return "Upsample", details + (named or ["align corners"] * self.align_corners)


def _times(factor: str) -> str:
    return f"{factor}x" if factor.isdigit() else f"by {factor}"


def _ratio(size: Dim, made: Dim) -> int | None:
    """Return how many times as large a size is made, None where that is no whole number."""
    if isinstance(size, int) and isinstance(made, int):
        return made // size if made % size == 0 else None
    return next((n for n in range(1, 65) if times(size, n) == made), None)


def sized(inputs: tuple[Shape, ...], size: Pair | None, kind: str) -> tuple[Shape, tuple[Dim, ...]]:
    """Return the map that is resized, and its new height and width: the second operand's.

    Args:
        inputs: the map, and where no size is given the one that has it.
        size: (height, width), where it is given.
        kind: what a message calls the operation.

    Raises:
        ShapeError: they are no maps, or too many.
    """
    if size is not None:
        return one_map(inputs, kind), size
    if len(inputs) != 2:
        raise ShapeError(f"{kind} takes a map and one of the size wanted", "operand-count")
    shape, other = (one_map((operand,), kind) for operand in inputs)
    return shape, other.grid


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

    def sees(self, *inputs: Shape) -> Spread:
        return Spread((self.factor, self.factor))

    def words(self, shown: Shown) -> Words:
        return "Pixel shuffle", [f"{shown('factor', self.factor)}x"]


@dataclass(frozen=True)
class PixelUnshuffle(Op):
    """Stack squares of pixels as channels: the inverse of `PixelShuffle`, space to depth.

    Row i and column j of the squares of channel c give channel `(c*factor + i)*factor + j`.
    Shape: `(N, C, H, W) -> (N, C*factor^2, H/factor, W/factor)`.
    """

    kind: ClassVar[str] = "PixelUnshuffle"
    drawn_as = "reshape"

    factor: int

    def infer_shape(self, *inputs: Shape) -> Shape:
        grid = one_map(inputs, "pixel unshuffle").grid
        if not all(map(agree, self.matching(*inputs))):
            square = f"{self.factor}x{self.factor}"
            raise ShapeError(
                f"a grid of {show_sizes(grid)} cannot be cut into squares of {square} pixels",
                "shape-mismatch",
                f"give it a height and a width that are multiples of {self.factor}",
            )
        return self.joined(*inputs)

    def matching(self, *inputs: Shape) -> tuple[tuple[Dim, ...], ...]:
        whole = self.joined(*inputs).grid
        return tuple((d, times(n, self.factor)) for d, n in zip(inputs[0].grid, whole, strict=True))

    def joined(self, *inputs: Shape) -> Shape:
        channels, *grid = inputs[0]
        cells = (floor_divide(size, 0, self.factor) for size in grid)
        return Shape((times(channels, self.factor**2), *cells))

    def known_shape(self, *inputs: Shape) -> Shape:
        channels = inputs[0].channels if inputs and len(inputs[0]) == 3 else None
        return Shape((times(channels, self.factor**2), None, None))

    def is_identity(self, *inputs: Shape) -> bool:
        return self.factor == 1

    def sees(self, *shapes: Shape) -> Window:
        square = (self.factor, self.factor)
        return Window(square, square)

    def words(self, shown: Shown) -> Words:
        return "Pixel unshuffle", [f"{shown('factor', self.factor)}x"]


Mode = Annotated[str, Reader(Choice(MODES)), words("mode", "how pixels are made", MODES)]


class UpsampleLayer(Layer):
    """Resize a map by a factor, to a size, or to that of a named layer."""

    op = "upsample"
    takes_size = True
    upsample: Target
    """whole factor, height x width, or the name of a layer that has the size"""
    mode: Mode = "nearest"
    """`nearest` or `bilinear`"""
    align_corners: Flag = False
    """of `bilinear`: the corners stay where they are (PyTorch's `align_corners`)"""

    def operations(self, fields: Fields) -> Parts:
        factor, size = None, None
        if not fields.is_sized_by_layer:
            given = fields.factor_or_size("upsample")
            factor = 1 if given is None else None
            if isinstance(given, int):
                factor = given
            else:
                size = given
        mode: Any = fields.word("mode", MODES)
        mode, align = "nearest" if mode == "none" else mode, fields.flag("align_corners")
        if align and mode == "nearest":
            span = fields.where("align_corners").span("align_corners")
            message, help = "`align_corners` is of `mode: bilinear`", "say the mode, or take it out"
            fields.report.add(Diagnostic("bad-value", message, span, help=help))
        return [("", Upsample(factor, size, mode, align and mode == "bilinear"))]


class PixelShuffleLayer(Layer):
    """Spread groups of channels over squares of pixels (sub-pixel upsampling)."""

    op = "pixel_shuffle"
    pixel_shuffle: Count
    """whole factor, whose square divides the channels"""

    def operations(self, fields: Fields) -> Parts:
        return [("", PixelShuffle(fields.integer("pixel_shuffle", "factor") or 1))]


class PixelUnshuffleLayer(Layer):
    """Stack squares of pixels as channels (space to depth)."""

    op = "pixel_unshuffle"
    pixel_unshuffle: Count
    """whole factor, which divides height and width"""

    def operations(self, fields: Fields) -> Parts:
        return [("", PixelUnshuffle(fields.integer("pixel_unshuffle", "factor") or 1))]
