"""Fully connected layers and flattening."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from compiler.graph import Dim, Op, Shape, ShapeError, fixed_channels, one, plus, times


@dataclass(frozen=True)
class Linear(Op):
    """Fully connected layer. Shape: `(N, C) -> (N, out_features)`; weights (out_features, C)."""

    kind: ClassVar[str] = "Linear"

    out_features: int
    bias: bool = True

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return ("weight", "bias") if self.bias else ("weight",)

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

    def count_params(self, *inputs: Shape) -> Dim:
        return times(self.out_features or None, plus((inputs[0].channels, int(self.bias))))

    def count_macs(self, inputs: tuple[Shape, ...], output: Shape) -> Dim:
        return times(self.out_features or None, inputs[0].channels)


@dataclass(frozen=True)
class Flatten(Op):
    """Join all dimensions but the batch. Shape: `(N, C, H, W) -> (N, C*H*W)`."""

    kind: ClassVar[str] = "Flatten"

    def infer_shape(self, *inputs: Shape) -> Shape:
        return Shape((times(*one(inputs, "flatten")),))
