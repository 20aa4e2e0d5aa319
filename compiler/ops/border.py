"""What adds to the border of a map, or takes it away."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import PlainValidator

from compiler.graph import (
    Op,
    Pads,
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
from compiler.text.fields import Choice, Sides, words

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

    def sees(self, shape: Shape) -> Window:
        """What is mirrored or repeated counts as pixels around, as zeros do."""
        (top, _), (left, _) = self.padding
        return Window((1, 1), (1, 1), begins=(top, left))

    def words(self, shown: Shown) -> Words:
        mode = shown.named("mode") or ([] if self.mode == "zeros" else [self.mode])
        return "Pad", [shown.written.get("padding") or padding_text(self.padding), *mode]


Fill = Annotated[
    str, PlainValidator(Choice(FILLS)), words("mode", "what the border is made of", FILLS)
]


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
