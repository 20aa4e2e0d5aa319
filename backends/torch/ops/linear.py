"""Fully connected layers and flattening."""

from __future__ import annotations

from collections.abc import Sequence

from backends.torch.expressions import Code, call
from backends.torch.ops.emitted import Helper
from backends.torch.ops.spelling import AttributeWriter, function, module
from compiler.ops import Flatten, Linear

HELPERS: dict[str, Helper] = {}


@module.register
def _(op: Linear, site: AttributeWriter) -> Code:
    args = [site.channels().text, site.symbol("out_features", op.out_features).text]
    return call("nn.Linear", *args, **({} if op.bias else {"bias": "False"}))


@module.register
def _(op: Flatten, site: AttributeWriter) -> Code:
    return call("nn.Flatten", "1")


@function.register
def _(op: Flatten, operands: Sequence[Code], site: AttributeWriter) -> Code:
    return call("torch.flatten", operands[0], "1")
