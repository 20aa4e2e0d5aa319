"""The one interface, what every operation says of itself, and the operation of an input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

from compiler.graph.reach import Reach, Sees
from compiler.graph.shapes import Dim, Shape, ShapeError, show_sizes
from compiler.graph.symbolic import Symbolic
from compiler.graph.words import OpKind, Shown, Words


@dataclass(frozen=True)
class Op:
    """An operation with its attributes; its operands are the graph's business.

    Subclasses are frozen, final, and compare by value.
    """

    kind: ClassVar[str]
    """Its name in printed graphs, where `spellings` gives it no others."""
    drawn_as: ClassVar[OpKind]
    """What kind of box it is in a figure."""
    keeps_shape: ClassVar[bool] = False
    """True where the output has the shape of the input, unit for unit."""
    width_key: ClassVar[str] = ""
    """The key of a layer that says how many channels leave it; empty where none does."""

    def tensor_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        """Return its parameters and running statistics: name in torch's words -> shape.

        Args:
            channels: how many come in.
        """
        return {}

    @property
    def computes_with(self) -> int | None:
        """How many of its operands it computes with; of the others it takes the size. None: all."""
        return None

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Last steps of the names of its parameters and running statistics."""
        return tuple(self.tensor_shapes(0))

    def infer_shape(self, *inputs: Shape) -> Shape:
        """Return the output shape of one sample.

        Raises:
            ShapeError: the inputs do not fit.
        """
        raise NotImplementedError

    def known_shape(self, *inputs: Shape) -> Shape:
        """Return the most that can be said of the output where the inputs do not fit.

        Unknown sizes are None; they agree with everything, so that one cause is reported once.
        """
        rank = len(inputs[0]) if inputs and self.keeps_shape else 3
        return Shape((inputs[0].channels if inputs else None, *(None,) * (rank - 1)))

    def matching(self, *inputs: Shape) -> tuple[tuple[Dim, ...], ...]:
        """Return the sizes that must be the same, axis by axis: those of a sum's operands.

        Raises:
            ShapeError: the inputs do not fit whatever their sizes.
        """
        return ()

    def joined(self, *inputs: Shape) -> Shape:
        """Return the output shape as if the sizes that must be the same were."""
        return self.infer_shape(*inputs)

    def is_identity(self, *inputs: Shape) -> bool:
        """True where it passes inputs of these shapes on unchanged, bit for bit."""
        return False

    def sees(self, *inputs: Shape) -> Sees:
        """Return what a unit of the output sees of the first operand."""
        return Reach.UNIT

    def words(self, shown: Shown) -> Words:
        """Return the words of a figure, and the details for the brackets behind them."""
        raise NotImplementedError(f"no words for the operation {self.kind}")

    def count_params(self, *inputs: Shape) -> Dim:
        """Return the number of learnable elements (running statistics are not counted).

        A formula where an input size is one, None where a size is unknown.
        """
        return 0

    def count_buffers(self, *inputs: Shape) -> Dim:
        """Return the number of running statistics; counters of batches are not counted."""
        return 0

    def count_macs(self, inputs: tuple[Shape, ...], output: Shape) -> Dim:
        """Return multiply-accumulates for one sample: convolutions and linear layers only.

        A formula where an input size is one, None where a size is unknown.
        """
        return 0

    def least_grid(self) -> tuple[int, int]:
        """Return the smallest input height and width that give a non-empty output."""
        return (1, 1)

    def attributes(self) -> dict[str, object]:
        """Return the fields in order, for comparing."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def spellings(cls) -> Mapping[str, Mapping[str, object]]:
        """Return its names in printed graphs, each with the attributes that it says."""
        return {cls.kind: {}}

    @property
    def printed_kind(self) -> str:
        """What a printed graph calls it."""
        own = self.attributes().items()
        return next(name for name, said in self.spellings().items() if said.items() <= own)

    def printed_attributes(self) -> dict[str, object]:
        """Return the attributes that a printed graph shows: neither in the name nor the default."""
        said = self.spellings()[self.printed_kind]
        own = {k: v for k, v in self.attributes().items() if k not in said}
        return {k: v for k, v in own.items() if v != getattr(type(self), k, None)}


@dataclass(frozen=True)
class Input(Op):
    """A tensor from outside. Shape: `(N, *dims)`."""

    kind: ClassVar[str] = "Input"
    drawn_as = "input"

    dims: tuple[Dim, ...]

    def infer_shape(self, *inputs: Shape) -> Shape:
        """Return the declared shape: it has no operands."""
        return Shape(self.dims)

    def words(self, shown: Shown) -> Words:
        """Return the words of a figure: the size is what matters."""
        return "Input", [Shape(self.dims).paper]


def one(inputs: tuple[Shape, ...], kind: str) -> Shape:
    """Return the only input."""
    if len(inputs) != 1:
        raise ShapeError(f"{kind} takes one input, it has {len(inputs)}", "operand-count")
    return inputs[0]


def one_map(inputs: tuple[Shape, ...], kind: str) -> Shape:
    """Return the only input, which must be an image-like map (C, H, W)."""
    shape = one(inputs, kind)
    if len(shape) != 3:
        raise ShapeError(
            f"{kind} needs a map of channels x height x width, it receives the vector {shape}",
            "not-a-map",
            "move it before the global pooling or the flatten",
        )
    return shape


def known_vector(inputs: tuple[Shape, ...]) -> Shape:
    """Return what is known of a vector made of an input that does not fit."""
    return Shape((inputs[0].channels if inputs and len(inputs[0]) == 1 else None,))


def fixed_channels(shape: Shape, what: str) -> Shape:
    """Return a shape whose channels are a number, as an operation with parameters needs them.

    Raises:
        ShapeError: `symbolic-size`.
    """
    if isinstance(shape.channels, Symbolic):
        raise ShapeError(
            f"{what} needs a number of channels, it receives {shape}",
            "symbolic-size",
            "give the input a fixed size, or use `global_avg_pool`",
        )
    return shape


def check_window(
    shape: Shape,
    kernel: tuple[int, int],
    least: tuple[int, int],
    out: tuple[Dim, Dim],
    what: str,
    dilation: tuple[int, int] = (1, 1),
    help: str = "",
) -> None:
    """Refuse a window for which the map has no room.

    Raises:
        ShapeError: `empty-output`, with the kernel and the incoming grid.
    """
    for size, room, result in zip(shape.grid, least, out, strict=True):
        too_small = isinstance(size, int) and size < room
        if too_small or (isinstance(result, int) and result < 1):
            size_text = f"{kernel[0]}x{kernel[1]}"
            if dilation != (1, 1):
                reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
                size_text += f", {reach[0]}x{reach[1]} with its dilation,"
            raise ShapeError(
                f"{what} of {size_text} has no room on a {show_sizes(shape.grid)} grid",
                "empty-output",
                help,
            )
