"""What adds to the border of a map, or takes it away."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from compiler.graph import (
    Op,
    Pads,
    Pair,
    Shape,
    ShapeError,
    Shown,
    Window,
    Words,
    one_map,
    padding_text,
    plus,
    show_sizes,
)
from compiler.ops.layer import Fields, Layer, Parts
from compiler.ops.resample import sized
from compiler.text.fields import Choice, Reader, Sides, Target, words

FILLS = ("zeros", "reflect", "replicate")


@dataclass(frozen=True)
class Pad(Op):
    """Add a border: of zeros, of the map mirrored at its last pixels, or of these repeated.

    Shape: `(N, C, H, W) -> (N, C, top+H+bottom, left+W+right)`.
    """

    kind: ClassVar[str] = "Pad"
    drawn_as = "reshape"

    padding: Pads
    mode: Literal["zeros", "reflect", "replicate"] = "zeros"

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one_map(inputs, "padding")
        for size, pads in zip(shape.grid, self.padding, strict=True):
            if self.mode == "reflect" and isinstance(size, int) and max(pads) >= size:
                raise ShapeError(
                    f"a {show_sizes(shape.grid)} grid has no {max(pads)} pixels beside its last "
                    "one to mirror",
                    "empty-output",
                    "pad by less than the grid, or with `mode: replicate`",
                )
        height, width = (
            plus((size, *pads)) for size, pads in zip(shape.grid, self.padding, strict=True)
        )
        return Shape((shape.channels, height, width))

    def is_identity(self, *inputs: Shape) -> bool:
        return self.padding == ((0, 0), (0, 0))

    def least_grid(self) -> tuple[int, int]:
        if self.mode != "reflect":
            return (1, 1)
        height, width = (max(pads) + 1 for pads in self.padding)
        return height, width

    def sees(self, *inputs: Shape) -> Window:
        """What is mirrored or repeated counts as pixels around, as zeros do."""
        (top, _), (left, _) = self.padding
        return Window((1, 1), (1, 1), begins=(top, left))

    def words(self, shown: Shown) -> Words:
        mode = shown.named("mode") or ([] if self.mode == "zeros" else [self.mode])
        return "Pad", [shown.written.get("padding") or padding_text(self.padding), *mode]


@dataclass(frozen=True)
class Crop(Op):
    """Cut out the middle, of a size or of the height and width of a second operand.

    Where the difference is odd, the row or column more is cut at the bottom and the right.
    Shape: `(N, C, H, W) -> (N, C, *size)`.
    """

    kind: ClassVar[str] = "Crop"
    drawn_as = "reshape"

    size: Pair | None = None
    """(height, width); None where a second operand has it."""

    @property
    def computes_with(self) -> int | None:
        return 1

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape, grid = sized(inputs, self.size, "cropping")
        for size, wanted in zip(shape.grid, grid, strict=True):
            if isinstance(size, int) and isinstance(wanted, int) and wanted > size:
                raise ShapeError(
                    f"{show_sizes(grid)} cannot be cut out of a {show_sizes(shape.grid)} grid",
                    "empty-output",
                    "crop the larger map to the size of the smaller one",
                )
        return Shape((shape.channels, *grid))

    def known_shape(self, *inputs: Shape) -> Shape:
        return Shape((inputs[0].channels if inputs else None, *(self.size or (None, None))))

    def is_identity(self, *inputs: Shape) -> bool:
        return self.infer_shape(*inputs) == inputs[0]

    def least_grid(self) -> Pair:
        return self.size or (1, 1)

    def sees(self, *inputs: Shape) -> Window:
        top, left = (
            -((size - wanted) // 2) if isinstance(size, int) and isinstance(wanted, int) else None
            for size, wanted in zip(inputs[0].grid, self.infer_shape(*inputs).grid, strict=True)
        )
        return Window((1, 1), (1, 1), begins=(top, left))

    def words(self, shown: Shown) -> Words:
        return "Crop", [f"to {shown('size', self.size)}"] if self.size is not None else []


Fill = Annotated[str, Reader(Choice(FILLS)), words("mode", "what the border is made of", FILLS)]


class PadLayer(Layer):
    """Add a border to a map."""

    op = "pad"
    pad: Sides
    """a number, `0x1` (height x width), `[height, width]` or `[[top, bottom], [left, right]]`"""
    mode: Fill = "zeros"
    """`zeros`, `reflect` (mirrored, without the last pixel) or `replicate` (the last pixel)"""

    def operations(self, fields: Fields) -> Parts:
        padding = fields.sides("pad", "padding") or ((0, 0), (0, 0))
        mode: Any = fields.word("mode", FILLS)
        return [("", Pad(padding, "zeros" if mode == "none" else mode))]


class CropLayer(Layer):
    """Cut out the middle; of an odd difference the larger half is cut at the bottom and right."""

    op = "crop"
    takes_size = True
    crop: Target
    """height x width, or the name of a layer that has the size"""

    def operations(self, fields: Fields) -> Parts:
        size = None if fields.is_sized_by_layer else fields.pair("crop", "size") or (1, 1)
        return [("", Crop(size))]
