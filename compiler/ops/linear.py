"""Fully connected layers and flattening."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from compiler.ops.base import Op, known, one
from compiler.shapes import Shape, ShapeError


@dataclass(frozen=True)
class Linear(Op):
    """Fully connected layer. Shape: `(N, C) -> (N, out_features)`; weights (out_features, C)."""

    kind: ClassVar[str] = "Linear"
    has_parameters: ClassVar[bool] = True

    out_features: int
    bias: bool = True

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one(inputs, "a linear layer")
        if len(shape) != 1:
            raise ShapeError(
                f"a linear layer needs a vector, it receives the map {shape}",
                "not-a-vector",
                "put `global_avg_pool` or `flatten` before it",
            )
        return Shape((self.out_features or None,))

    def count_params(self, *inputs: Shape) -> int:
        return self.out_features * (known(inputs[0].channels) + self.bias)

    def count_macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return self.out_features * known(inputs[0].channels)


@dataclass(frozen=True)
class Flatten(Op):
    """Join all dimensions but the batch. Shape: `(N, C, H, W) -> (N, C*H*W)`."""

    kind: ClassVar[str] = "Flatten"

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one(inputs, "flatten")
        if len(shape) == 1:
            return shape
        symbolic = [str(d) for d in shape if d is not None and not isinstance(d, int)]
        if symbolic:
            raise ShapeError(
                f"flatten needs a grid in numbers, it receives {shape}",
                "symbolic-size",
                "give the input a fixed size, or use `global_avg_pool`",
            )
        return Shape((prod(shape.numbers) if shape.is_known else None,))
