"""Padding of its own."""

from __future__ import annotations

from collections.abc import Sequence

from backends.torch.expressions import Code, call
from backends.torch.ops.emitted import Helper
from backends.torch.ops.spelling import AttributeWriter, function, module
from compiler.ops import Pad

HELPERS: dict[str, Helper] = {}

_MODULES = {
    "zeros": "nn.ZeroPad2d",
    "reflect": "nn.ReflectionPad2d",
    "replicate": "nn.ReplicationPad2d",
}


@module.register
def _(op: Pad, site: AttributeWriter) -> Code:
    return call(_MODULES[op.mode], _amounts(op))


@function.register
def _(op: Pad, operands: Sequence[Code], site: AttributeWriter) -> Code:
    named: dict[str, Code] = {} if op.mode == "zeros" else {"mode": f'"{op.mode}"'}
    return call("F.pad", operands[0], _amounts(op), **named)


def _amounts(op: Pad) -> str:
    """Return (left, right, top, bottom)."""
    (top, bottom), (left, right) = op.padding
    return str((left, right, top, bottom))
