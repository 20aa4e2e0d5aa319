"""Normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from compiler.ops.base import Op, fixed_channels, one
from compiler.shapes import Dim, Shape, times


@dataclass(frozen=True)
class BatchNorm(Op):
    """Batch normalisation over every dimension but channels, on maps or vectors.

    `momentum` has PyTorch's meaning, the weight of the newest batch: TensorFlow's decay of
    0.9997 is a momentum of 0.0003. Shape: kept.
    """

    kind: ClassVar[str] = "BatchNorm"

    eps: float = 1e-5
    momentum: float = 0.1
    affine: bool = True

    @property
    def parameter_names(self) -> tuple[str, ...]:
        learned = ("weight", "bias") if self.affine else ()
        return (*learned, "running_mean", "running_var")

    def infer_shape(self, *inputs: Shape) -> Shape:
        return fixed_channels(one(inputs, "batch normalisation"), "batch normalisation")

    def count_params(self, *inputs: Shape) -> Dim:
        return times(2, inputs[0].channels) if self.affine else 0
