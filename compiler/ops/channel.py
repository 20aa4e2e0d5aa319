"""A factor for each channel: a learned one, or one made of the channels beside it."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from dataclasses import dataclass
from typing import ClassVar

from compiler.errors import Diagnostic
from compiler.graph import (
    Dim,
    Op,
    Shape,
    Shown,
    Words,
    fixed_channels,
    one,
    one_map,
    value_text,
)
from compiler.ops.layer import Fields, Layer, Parts
from compiler.text.fields import Count, Number


@dataclass(frozen=True)
class LayerScale(Op):
    """Multiply every channel by a factor that is learned, and begins at `init` (arXiv 2103.17239).

    Shape: kept.
    """

    kind: ClassVar[str] = "LayerScale"
    drawn_as = "scale"
    keeps_shape = True

    init: float

    def tensor_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        return {"weight": (channels,)}

    def infer_shape(self, *inputs: Shape) -> Shape:
        return fixed_channels(one(inputs, "layer scale"), "layer scale")

    def words(self, shown: Shown) -> Words:
        return "Layer scale", [f"from {shown('init', self.init)}"]

    def count_params(self, *inputs: Shape) -> Dim:
        return inputs[0].channels


@dataclass(frozen=True)
class LocalResponseNorm(Op):
    """Divide by a power of the mean square of the channels around, as AlexNet and GoogLeNet do.

    `y = x / (k + alpha / size * sum of the squares of size channels) ** beta`, torch's meaning: it
    divides alpha by the size (Caffe does, TensorFlow does not). Of an even size there is one
    channel more before than after; outside are zeros. Shape: kept.
    """

    kind: ClassVar[str] = "LocalResponseNorm"
    drawn_as = "norm"
    keeps_shape = True

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def infer_shape(self, *inputs: Shape) -> Shape:
        return one_map(inputs, "local response normalisation")

    def known_shape(self, *inputs: Shape) -> Shape:
        return Shape((inputs[0].channels if inputs else None, None, None))

    def words(self, shown: Shown) -> Words:
        return "LRN", [f"{shown('size', self.size)} channels"]


class LayerScaleLayer(Layer):
    """Multiply every channel by a learned factor."""

    op = "layer_scale"
    layer_scale: Number
    """what the factors begin at"""

    def operations(self, fields: Fields) -> Parts:
        init = fields.number("layer_scale", "init")
        return [("", LayerScale(1.0 if init is None else init))]


class LocalResponseNormLayer(Layer):
    """Local response normalisation: `x / (k + alpha / lrn * sum of squares) ** beta`."""

    op = "lrn"
    lrn: Count
    """number of channels around each, itself among them; even ones are not for ONNX"""
    alpha: Number | None = None
    """1e-4 where it is not said; divided by the number of channels, as PyTorch and Caffe do"""
    beta: Number | None = None
    """0.75 where it is not said"""
    k: Number = 1

    def operations(self, fields: Fields) -> Parts:
        size = fields.integer("lrn", "size") or 1
        alpha, beta, k = (
            usual if fields.raw(field) is None else _positive(fields, field, usual)
            for field, usual in (("alpha", 1e-4), ("beta", 0.75), ("k", 1.0))
        )
        return [("", LocalResponseNorm(size, alpha, beta, k))]


def _positive(fields: Fields, field: str, usual: float) -> float:
    """Return a number that is positive: a power of 0 or less divides by 0."""
    value = fields.number(field)
    if value is not None and value <= 0:
        message = f"`{field}` of {fields.what} = {value:g} is not positive"
        span = fields.where(field).span(field)
        help = f"{value_text(usual)} is usual"
        fields.report.add(Diagnostic("bad-value", message, span, help=help))
    return usual if value is None else value
