"""Where tensors enter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from compiler.ops.base import Op
from compiler.shapes import Dim, Shape


@dataclass(frozen=True)
class Input(Op):
    """A tensor from outside. Shape: `(N, *dims)`."""

    kind: ClassVar[str] = "Input"

    dims: tuple[Dim, ...]

    def infer_shape(self, *inputs: Shape) -> Shape:
        return Shape(self.dims)
