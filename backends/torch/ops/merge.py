"""Joining tensors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from backends.torch.expressions import Code, Listing, call
from backends.torch.ops.spelling import AttributeWriter, function, operand, operators
from compiler.ops import Add, Concat, Maximum, Multiply, Subtract


@function.register
def _(op: Concat, operands: Sequence[Code], site: AttributeWriter) -> Code:
    return call("torch.cat", Listing(tuple(operands)), "1")


@function.register
def _(op: Add, operands: Sequence[Code], site: AttributeWriter) -> Code:
    return operators(" + ", operands) if len(operands) > 1 else operands[0]


@function.register
def _(op: Multiply, operands: Sequence[Code], site: AttributeWriter) -> Code:
    return operators(" * ", [operand(o) for o in operands]) if operands[1:] else operands[0]


@function.register
def _(op: Subtract, operands: Sequence[Code], site: AttributeWriter) -> Code:
    return operators(" - ", [operands[0], operand(operands[1])])


@function.register
def _(op: Maximum, operands: Sequence[Code], site: AttributeWriter) -> Code:
    first, *others = operands
    return reduce(lambda a, b: call("torch.maximum", a, b), others, first)
