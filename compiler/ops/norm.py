"""Normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from compiler.graph import Dim, Op, Shape, fixed_channels, one, times


@dataclass(frozen=True)
class BatchNorm(Op):
    """Batch normalisation over every dimension but channels, on maps or vectors.

    It learns a scale and a shift, or one of them (TF-Slim's default has no scale), or neither.
    `momentum` has PyTorch's meaning, the weight of the newest batch: TensorFlow's decay of
    0.9997 is a momentum of 0.0003. Shape: kept.
    """

    kind: ClassVar[str] = "BatchNorm"

    eps: float = 1e-5
    momentum: float = 0.1
    scale: bool = True
    shift: bool = True

    @property
    def learned(self) -> tuple[str, ...]:
        """What it learns, by PyTorch's names: the scale is its weight, the shift its bias."""
        return ("weight",) * self.scale + ("bias",) * self.shift

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return (*self.learned, "running_mean", "running_var")

    def infer_shape(self, *inputs: Shape) -> Shape:
        return fixed_channels(one(inputs, "batch normalisation"), "batch normalisation")

    def count_params(self, *inputs: Shape) -> Dim:
        return times(len(self.learned), inputs[0].channels) if self.learned else 0

    def count_buffers(self, *inputs: Shape) -> Dim:
        return times(2, inputs[0].channels)
