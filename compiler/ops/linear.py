"""Fully connected layers and flattening."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from dataclasses import dataclass
from typing import ClassVar

from compiler.graph import (
    Dim,
    Op,
    Reach,
    Shape,
    ShapeError,
    Shown,
    Words,
    fixed_channels,
    known_vector,
    one,
    plus,
    times,
)
from compiler.ops.activation import ActivationName, then
from compiler.ops.layer import Fields, Layer, Parts, WordLayer
from compiler.text.fields import Count, Flag


@dataclass(frozen=True)
class Linear(Op):
    """Fully connected layer. Shape: `(N, C) -> (N, out_features)`; weights (out_features, C)."""

    kind: ClassVar[str] = "Linear"
    drawn_as = "linear"
    width_key = "linear"

    out_features: int
    bias: bool = True

    def tensor_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        weight = (self.out_features, channels)
        return {"weight": weight} | ({"bias": (self.out_features,)} if self.bias else {})

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one(inputs, "a linear layer")
        if len(shape) != 1:
            raise ShapeError(
                f"a linear layer needs a vector, it receives the map {shape}",
                "not-a-vector",
                "put `global_avg_pool` or `flatten` before it",
            )
        fixed_channels(shape, "a linear layer")
        return Shape((self.out_features or None,))

    def known_shape(self, *inputs: Shape) -> Shape:
        return Shape((self.out_features or None,))

    def sees(self, *inputs: Shape) -> Reach:
        return Reach.MAP

    def words(self, shown: Shown) -> Words:
        width = shown("out_features", self.out_features) if self.out_features else "?"
        bias = shown.named("bias", "bias if") or ([] if self.bias else ["no bias"])
        return "Fully connected", [width, *bias]

    def count_params(self, *inputs: Shape) -> Dim:
        return times(self.out_features or None, plus((inputs[0].channels, int(self.bias))))

    def count_macs(self, inputs: tuple[Shape, ...], output: Shape) -> Dim:
        return times(self.out_features or None, inputs[0].channels)


@dataclass(frozen=True)
class Flatten(Op):
    """Join all dimensions but the batch. Shape: `(N, C, H, W) -> (N, C*H*W)`."""

    kind: ClassVar[str] = "Flatten"
    drawn_as = "reshape"

    def infer_shape(self, *inputs: Shape) -> Shape:
        return Shape((times(*one(inputs, "flatten")),))

    def known_shape(self, *inputs: Shape) -> Shape:
        return known_vector(inputs)

    def is_identity(self, *inputs: Shape) -> bool:
        return len(inputs[0]) == 1

    def sees(self, *inputs: Shape) -> Reach:
        return Reach.MAP

    def words(self, shown: Shown) -> Words:
        return "Flatten", []


class LinearLayer(Layer):
    """Fully connected layer."""

    op = "linear"
    linear: Count
    """number of outputs"""
    bias: Flag = True
    activation: ActivationName = "none"

    def operations(self, fields: Fields) -> Parts:
        op = Linear(fields.integer("linear", "out_features") or 0, fields.flag("bias"))
        return [("linear", op), *then(fields.activation("activation"))]


class FlattenLayer(WordLayer):
    """Join height, width and channels into a vector."""

    op = "flatten"

    def operations(self, fields: Fields) -> Parts:
        return [("", Flatten())]
