"""Joining tensors, and taking channels out again."""

from __future__ import annotations

from collections.abc import Sequence

from backends.torch.expressions import Code, Joined, Listing, call
from backends.torch.ops.emitted import Helper
from backends.torch.ops.spelling import AttributeWriter, function, module, operand, operators
from compiler.ops import Add, Concat, Multiply, Slice

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
}


@function.register
def _(op: Concat, operands: Sequence[Code], site: AttributeWriter) -> Code:
    return call("torch.cat", Listing(tuple(operands)), "1")


@function.register
def _(op: Add, operands: Sequence[Code], site: AttributeWriter) -> Code:
    return operators(" + ", operands) if len(operands) > 1 else operands[0]


@function.register
def _(op: Multiply, operands: Sequence[Code], site: AttributeWriter) -> Code:
    return operators(" * ", [operand(o) for o in operands]) if operands[1:] else operands[0]


@module.register
def _(op: Slice, site: AttributeWriter) -> Code:
    return call(site.helper("Slice"), str(op.start), str(op.stop))


@function.register
def _(op: Slice, operands: Sequence[Code], site: AttributeWriter) -> Code:
    start = op.start or ""
    return Joined((operand(operands[0]), f"[:, {start}:{op.stop}]"), tight=True)
