"""What picks, moves and reduces channels as ONNX nodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backends.onnx.node_builder import INT64, NodeBuilder, spell
from compiler.graph import Shape
from compiler.ops import ChannelPool, ChannelShuffle, Chunk, PixelUnshuffle, Slice


@spell.register
def _(op: Slice, builder: NodeBuilder) -> None:
    _slice(op.start, op.stop, builder)


@spell.register
def _(op: Chunk, builder: NodeBuilder) -> None:
    _slice(*op.bounds(_channels(builder.shapes[0], builder)), builder)


def _slice(start: int, stop: int, builder: NodeBuilder) -> None:
    bounds = [
        builder.constant(part, [number], INT64)
        for part, number in (("start", start), ("stop", stop), ("axis", 1))
    ]
    builder.emit("Slice", builder.input, *bounds)


@spell.register
def _(op: ChannelShuffle, builder: NodeBuilder) -> None:
    channels = _channels(builder.shapes[0], builder)
    order = np.arange(channels).reshape(op.groups, -1).T.ravel()
    _gather(builder.input, order.tolist(), builder)


@spell.register
def _(op: PixelUnshuffle, builder: NodeBuilder) -> None:
    """ONNX has the squares outermost, PyTorch the channels: `(i, j, c)` becomes `(c, i, j)`."""
    channels = _channels(builder.shapes[0], builder)
    stacked = builder.emit(
        "SpaceToDepth",
        builder.input,
        part="stacked",
        made=builder.map(*builder.output),
        blocksize=op.factor,
    )
    order = np.arange(channels * op.factor**2).reshape(-1, channels).T.ravel()
    _gather(stacked, order.tolist(), builder)


@spell.register
def _(op: ChannelPool, builder: NodeBuilder) -> None:
    kind = {"mean": "ReduceMean", "max": "ReduceMax"}[op.function]
    if builder.opset >= 18:  # the axes became an input
        axes = builder.constant("axis", [1], INT64)
        builder.emit(kind, builder.input, axes, keepdims=1)
    else:
        builder.emit(kind, builder.input, axes=[1], keepdims=1)


def _gather(source: str, order: Sequence[int], builder: NodeBuilder) -> None:
    """Take channels in an order: one node, whatever the height and width."""
    builder.emit("Gather", source, builder.constant("order", order, INT64), axis=1)


def _channels(shape: Shape, builder: NodeBuilder) -> int:
    if isinstance(shape.channels, int):
        return shape.channels
    raise builder.refusal(f"which channels it takes depend on the size {shape}; fix the input size")
