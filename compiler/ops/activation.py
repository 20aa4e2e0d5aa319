"""Element-wise functions, scaling, dropout, softmax and identity: shape is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from compiler.graph import Op, Shape, ShapeError, one

ACTIVATIONS = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "LeakyReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softplus": "Softplus",
    "hard_sigmoid": "Hardsigmoid",
    "hard_swish": "Hardswish",
}
"""Word in a spec -> torch.nn class; each with torch's default constants."""


@dataclass(frozen=True)
class _Elementwise(Op):
    def infer_shape(self, *inputs: Shape) -> Shape:
        return one(inputs, self.kind)


@dataclass(frozen=True)
class Activation(_Elementwise):
    """One of `ACTIVATIONS`, applied to every element. Shape: kept."""

    kind: ClassVar[str] = "Activation"

    function: str = "relu"

    @property
    def printed_kind(self) -> str:
        return ACTIVATIONS[self.function]

    def printed_attributes(self) -> dict[str, object]:
        return {}


@dataclass(frozen=True)
class Scale(_Elementwise):
    """Multiply by a constant: the residual scaling of section 3.3 and Figure 20. Shape: kept."""

    kind: ClassVar[str] = "Scale"

    factor: float


@dataclass(frozen=True)
class Standardize(_Elementwise):
    """Take RGB values from 0 to 1 to what weights expect: (x - mean) / deviation. Shape: kept.

    No spec has it: `standardize_input` puts it behind the input where a target is to take
    pictures as they are.
    """

    kind: ClassVar[str] = "Standardize"

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one(inputs, self.kind)
        if shape.channels != len(self.mean):
            raise ShapeError(f"it standardises {len(self.mean)} channels, it receives {shape}")
        return shape

    def printed_attributes(self) -> dict[str, object]:
        return {name: list(value) for name, value in vars(self).items()}


@dataclass(frozen=True)
class Dropout(_Elementwise):
    """Zero elements with probability `drop` while training. Shape: kept."""

    kind: ClassVar[str] = "Dropout"

    drop: float


@dataclass(frozen=True)
class Softmax(_Elementwise):
    """Softmax over channels. Shape: kept."""

    kind: ClassVar[str] = "Softmax"


@dataclass(frozen=True)
class Identity(_Elementwise):
    """Pass the input on. Shape: kept."""

    kind: ClassVar[str] = "Identity"


@dataclass(frozen=True)
class Normalize(_Elementwise):
    """Divide a vector by its Euclidean length (an embedding's last step). Shape: kept."""

    kind: ClassVar[str] = "Normalize"

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one(inputs, "normalize")
        if len(shape) != 1:
            raise ShapeError(
                f"normalize needs a vector, it receives the map {shape}", "not-a-vector"
            )
        return shape
