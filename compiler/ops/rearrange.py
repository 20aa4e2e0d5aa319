"""What picks, moves and reduces channels: slices, chunks, shuffles, mean and maximum."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class.
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from compiler.graph import Op, Shape, ShapeError, Shown, Words, floor_divide, one, one_map
from compiler.ops.layer import Fields, Layer, Parts, WordLayer
from compiler.text.fields import Count, Range, Whole


@dataclass(frozen=True)
class Slice(Op):
    """Take channels `start` to `stop` (exclusive).

    Shape: `(N, C, H, W) -> (N, stop-start, H, W)`.
    """

    kind: ClassVar[str] = "Slice"
    drawn_as = "reshape"

    start: int
    stop: int

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one(inputs, "slice")
        room = shape.channels if isinstance(shape.channels, int) else self.stop
        if not 0 <= self.start < self.stop <= room:
            raise ShapeError(
                f"the slice [{self.start}, {self.stop}] takes no channels of {room}"
                if self.start >= self.stop
                else f"the slice [{self.start}, {self.stop}] is outside {room} channels",
                "shape-mismatch",
                f"channels are counted from 0, the end is not taken: [0, {room}] takes all {room}",
            )
        return Shape((self.stop - self.start, *shape.grid))

    def is_identity(self, *inputs: Shape) -> bool:
        return (self.start, self.stop) == (0, inputs[0].channels)

    def known_shape(self, *inputs: Shape) -> Shape:
        taken = self.stop - self.start
        return Shape((taken if taken > 0 else None, *(inputs[0].grid if inputs else ())))

    def words(self, shown: Shown) -> Words:
        return "Channels", [f"{shown('start', self.start)}:{shown('stop', self.stop)}"]


@dataclass(frozen=True)
class Chunk(Op):
    """Take one of several equal pieces of the channels, counted from 0.

    Shape: `(N, C, H, W) -> (N, C/chunks, H, W)`.
    """

    kind: ClassVar[str] = "Chunk"
    drawn_as = "reshape"

    chunks: int
    index: int = 0

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one(inputs, "chunk")
        if self.index >= self.chunks:
            raise ShapeError(
                f"there is no piece {self.index} of {self.chunks}: they are counted from 0",
                "shape-mismatch",
                f"the last one has the index {self.chunks - 1}",
            )
        _check_divides(self.chunks, shape, "equal pieces")
        return Shape((floor_divide(shape.channels, 0, self.chunks), *shape.grid))

    def known_shape(self, *inputs: Shape) -> Shape:
        return Shape((None, *(inputs[0].grid if inputs else ())))

    def is_identity(self, *inputs: Shape) -> bool:
        return self.chunks == 1

    def bounds(self, channels: int) -> tuple[int, int]:
        """Return the first of the channels that it takes, and the first that it no longer takes."""
        size = channels // self.chunks
        return self.index * size, (self.index + 1) * size

    def words(self, shown: Shown) -> Words:
        by_name = shown.named("index")
        number = f"{by_name[0]} + 1" if by_name else str(self.index + 1)
        return "Channels", [f"part {number} of {shown('chunks', self.chunks)}"]


@dataclass(frozen=True)
class ChannelShuffle(Op):
    """Interleave groups of channels (ShuffleNet, arXiv 1707.01083): a, a, b, b as a, b, a, b.

    Channel `i` of group `g` becomes channel `i*groups + g`. Shape: kept.
    """

    kind: ClassVar[str] = "ChannelShuffle"
    drawn_as = "reshape"
    keeps_shape = True

    groups: int

    def infer_shape(self, *inputs: Shape) -> Shape:
        shape = one_map(inputs, "channel shuffle")
        _check_divides(self.groups, shape, "groups")
        return shape

    def known_shape(self, *inputs: Shape) -> Shape:
        return Shape((inputs[0].channels if inputs else None, None, None))

    def is_identity(self, *inputs: Shape) -> bool:
        return self.groups == 1 or self.groups == inputs[0].channels

    def words(self, shown: Shown) -> Words:
        return "Channel shuffle", [f"{shown('groups', self.groups)} groups"]


@dataclass(frozen=True)
class ChannelPool(Op):
    """Mean or maximum over the channels, at each place (CBAM's spatial attention).

    Shape: `(N, C, H, W) -> (N, 1, H, W)`.
    """

    kind: ClassVar[str] = "ChannelPool"
    drawn_as = "pool"

    function: Literal["mean", "max"] = "mean"

    @classmethod
    def spellings(cls) -> Mapping[str, Mapping[str, object]]:
        return {"ChannelMean": {"function": "mean"}, "ChannelMax": {"function": "max"}}

    def infer_shape(self, *inputs: Shape) -> Shape:
        return Shape((1, *one_map(inputs, f"the {self.function} over channels").grid))

    def known_shape(self, *inputs: Shape) -> Shape:
        grid = inputs[0].grid if inputs and len(inputs[0]) == 3 else (None, None)
        return Shape((1, *grid))

    def is_identity(self, *inputs: Shape) -> bool:
        return inputs[0].channels == 1

    def words(self, shown: Shown) -> Words:
        return f"Channel {self.function}", []


def _check_divides(parts: int, shape: Shape, what: str) -> None:
    """Refuse channels that cannot be split into so many parts.

    Raises:
        ShapeError: `groups-mismatch`.
    """
    channels = shape.channels
    if isinstance(channels, int) and channels % parts:
        raise ShapeError(
            f"{channels} channels cannot be split into {parts} {what} "
            f"({channels} % {parts} = {channels % parts})",
            "groups-mismatch",
            f"give it a multiple of {parts} channels",
        )


class SliceLayer(Layer):
    """Take a range of channels."""

    op = "slice"
    slice: Range
    """`[start, stop]`: `[0, 58]` takes 0 to 57; counted from 0, from the last where negative"""

    def operations(self, fields: Fields) -> Parts:
        start, stop = fields.range("slice") or (0, fields.channels or 1)
        return [("", Slice(start, stop))]


class ChunkLayer(Layer):
    """Take one of several equal pieces of the channels."""

    op = "chunk"
    chunk: Count
    """number of pieces, which divides the channels"""
    index: Whole
    """which piece, counted from 0"""

    def operations(self, fields: Fields) -> Parts:
        chunks = fields.integer("chunk", "chunks") or 1
        return [("", Chunk(chunks, fields.integer("index", least=0) or 0))]


class ChannelShuffleLayer(Layer):
    """Interleave groups of channels (ShuffleNet)."""

    op = "channel_shuffle"
    channel_shuffle: Count
    """number of groups, which divides the channels"""

    def operations(self, fields: Fields) -> Parts:
        return [("", ChannelShuffle(fields.integer("channel_shuffle", "groups") or 1))]


class ChannelMeanLayer(WordLayer):
    """Mean over the channels, which leaves one."""

    op = "channel_mean"

    def operations(self, fields: Fields) -> Parts:
        return [("", ChannelPool("mean"))]


class ChannelMaxLayer(WordLayer):
    """Maximum over the channels, which leaves one."""

    op = "channel_max"

    def operations(self, fields: Fields) -> Parts:
        return [("", ChannelPool("max"))]
