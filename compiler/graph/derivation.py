"""How parameters of an optimised graph are made from those of the original: data, no tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Read:
    """A parameter of the original graph, as it is."""

    name: str

    def __str__(self) -> str:
        return f"${self.name}"


@dataclass(frozen=True, slots=True)
class Zeros:
    """A bias of `count` zeros: what a layer without a bias adds."""

    count: int

    def __str__(self) -> str:
        return f"zeros({self.count})"


@dataclass(frozen=True, slots=True)
class Folded:
    """A weight or bias with an evaluation-mode batch normalisation folded in.

    With `g = gamma / sqrt(running_var + eps)` over output channels, the weight becomes
    `value * g` and the bias `(value - running_mean) * g + beta`. `norm` is the prefix of the
    original normalisation's parameters; gamma is 1 and beta 0 where they are not `learned`.
    """

    value: Derivation
    norm: str
    eps: float
    learned: tuple[str, ...]
    """`weight` for gamma, `bias` for beta."""
    part: Literal["weight", "bias"]

    def __str__(self) -> str:
        learned = "".join(f", {part}" for part in self.learned)
        return f"folded({self.value}, ${self.norm}, {self.eps}{learned})"


@dataclass(frozen=True, slots=True)
class Scaled:
    """A value times a constant."""

    value: Derivation
    factor: float

    def __str__(self) -> str:
        return f"scaled({self.value}, {self.factor})"


@dataclass(frozen=True, slots=True)
class Stacked:
    """Values one after the other along output channels, the first dimension."""

    parts: tuple[Derivation, ...]

    def __str__(self) -> str:
        return f"stacked({', '.join(map(str, self.parts))})"


Derivation = Read | Zeros | Folded | Scaled | Stacked
