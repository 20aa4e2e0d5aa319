"""A library of blocks, checked block by block on an input of unknown size."""

from __future__ import annotations

from compiler.arguments import parameter_default
from compiler.errors import Report
from compiler.graph import Info
from compiler.loader import Spec
from compiler.lower import new_lowering
from compiler.lower_blocks import lower_body
from compiler.lowering import Argument
from compiler.ops import Input


def check_library(spec: Spec, report: Report) -> int:
    """Lower every block that a file defines by itself and return how many there are.

    Parameters without a default are unknown, and so are the input's sizes: what can be wrong
    without knowing them (names, expressions, grids that can never meet) is found.
    """
    for name in spec.own_blocks:
        block = spec.blocks.get(name)
        if block is None:
            continue
        lowering = new_lowering(spec, report, {})
        builder = lowering.builder
        info = Info(span=block.span())
        builder.open("", "network", tuple(block.inputs), info)
        for entry in block.inputs:
            builder.add(entry, Input((None, None, None)), (), info)
        arguments: dict[str, Argument] = {}
        for key, param in block.params.items():
            has_default = param.default is not None
            arguments[key] = Argument(
                parameter_default(report, key, param, arguments) if has_default else None
            )
        end = lower_body(lowering, block, f"{name}.", {i: i for i in block.inputs}, arguments)
        builder.close(end)
        lowering.errata(block, block.errata)
    return len(spec.own_blocks)
