"""What picks, moves and reduces channels."""

from __future__ import annotations

from collections.abc import Sequence

from backends.torch.expressions import Code, Joined, call
from backends.torch.ops.emitted import Helper
from backends.torch.ops.spelling import AttributeWriter, function, module, operand
from compiler.ops import ChannelPool, ChannelShuffle, Chunk, Slice

HELPERS: dict[str, Helper] = {
    "Slice": Helper(
        '''
class Slice(nn.Module):
    """Take the channels from `start` up to `stop`."""

    def __init__(self, start: int, stop: int) -> None:
        super().__init__()
        self.start, self.stop = start, stop

    def forward(self, x: Tensor) -> Tensor:
        """Take the channels."""
        return x[:, self.start : self.stop]
'''
    ),
    "Chunk": Helper(
        '''
class Chunk(nn.Module):
    """Take one of several equal pieces of the channels, counted from 0."""

    def __init__(self, chunks: int, index: int) -> None:
        super().__init__()
        self.chunks, self.index = chunks, index

    def forward(self, x: Tensor) -> Tensor:
        """Take the piece."""
        return x.chunk(self.chunks, dim=1)[self.index]
'''
    ),
    "ChannelMean": Helper(
        '''
class ChannelMean(nn.Module):
    """Mean over the channels: (N, C, H, W) -> (N, 1, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Average over channels."""
        return x.mean(1, keepdim=True)
'''
    ),
    "ChannelMax": Helper(
        '''
class ChannelMax(nn.Module):
    """Maximum over the channels: (N, C, H, W) -> (N, 1, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Take the maximum over channels."""
        return x.amax(1, keepdim=True)
'''
    ),
}


@module.register
def _(op: Slice, site: AttributeWriter) -> Code:
    start, stop = (site.symbol(part, getattr(op, part)).text for part in ("start", "stop"))
    return call(site.helper("Slice"), start, stop)


@function.register
def _(op: Slice, operands: Sequence[Code], site: AttributeWriter) -> Code:
    start = op.start or ""
    return Joined((operand(operands[0]), f"[:, {start}:{op.stop}]"), tight=True)


@module.register
def _(op: Chunk, site: AttributeWriter) -> Code:
    return call(site.helper("Chunk"), str(op.chunks), str(op.index))


@function.register
def _(op: Chunk, operands: Sequence[Code], site: AttributeWriter) -> Code:
    return Joined((operand(operands[0]), f".chunk({op.chunks}, dim=1)[{op.index}]"), tight=True)


@module.register
def _(op: ChannelShuffle, site: AttributeWriter) -> Code:
    return call("nn.ChannelShuffle", str(op.groups))


@function.register
def _(op: ChannelShuffle, operands: Sequence[Code], site: AttributeWriter) -> Code:
    return call("F.channel_shuffle", operands[0], str(op.groups))


@module.register
def _(op: ChannelPool, site: AttributeWriter) -> Code:
    return call(site.helper(op.printed_kind))


@function.register
def _(op: ChannelPool, operands: Sequence[Code], site: AttributeWriter) -> Code:
    method = "mean" if op.function == "mean" else "amax"
    return Joined((operand(operands[0]), f".{method}(1, keepdim=True)"), tight=True)
