"""A library of blocks, checked block by block on an input of unknown size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from compiler.errors import CompileError, Diagnostic, Report, limit, way_out
from compiler.graph import Graph, Info
from compiler.lower.arguments import Known, parameter_default
from compiler.lower.defaults import layer_defaults
from compiler.lower.layers import lower_body
from compiler.lower.lowering import Argument, Lowering
from compiler.ops import Input
from compiler.spec import (
    BlockLayer,
    BlockSpec,
    Defaults,
    Expansion,
    NetworkSpec,
    Spec,
    layers_in,
)


def check_library(spec: Spec, report: Report) -> int:
    """Lower every block that a file defines by itself and return how many there are.

    Parameters without a default are unknown, and so are the input's sizes: what can be wrong
    without knowing them (names, expressions, grids that can never meet) is found.
    """
    _check(spec.own_blocks, spec, report, Defaults({}, {}, set()))
    return len(spec.own_blocks)


def check_unused(spec: Spec, network: NetworkSpec, graph: Graph, report: Report) -> None:
    """Report the errors of blocks that a network's file defines and does not use.

    They are lowered as those of a library. A block that a layer names is used, though a `when` may
    leave the layer out here.
    """
    chains = [network.layers, *(block.body for block in spec.blocks.values())]
    layers = (layer for chain in chains for layer in layers_in(chain))
    used = {region.definition for region in graph.regions.values()}
    used |= {layer.block for layer in layers if isinstance(layer, BlockLayer)}
    unused = [name for name in spec.own_blocks if name not in used]
    if unused:
        defaults = Defaults(layer_defaults(network, report), graph.arguments, set())
        found = Report()
        with suppress(CompileError):  # whose diagnostics are in the report
            _check(unused, spec, found, defaults)
        report.add_all(found.errors)


def _check(names: Iterable[str], spec: Spec, report: Report, defaults: Defaults) -> None:
    own = {name: block for name in names if (block := spec.blocks.get(name))}
    _refuse_too_large(own, spec, report)
    for name, block in own.items():
        lowering = Lowering(spec, report, defaults)
        builder = lowering.builder
        info = Info(span=block.span())
        builder.open("", "network", tuple(block.inputs), info)
        for entry in block.inputs:
            builder.add(entry, Input((None, None, None)), (), info)
        arguments: dict[str, Argument] = {}
        for key, param in block.params.items():
            has_default = param.default is not None
            arguments[key] = Argument(
                parameter_default(report, key, param, Known(arguments), []) if has_default else None
            )
        end = lower_body(lowering, block, f"{name}.", {i: i for i in block.inputs}, arguments)
        builder.close(end)
        lowering.errata(block, block.errata)


def _refuse_too_large(blocks: Mapping[str, BlockSpec], spec: Spec, report: Report) -> None:
    """Refuse a library whose blocks come to too many operations, before any is made."""
    sizes, total = Expansion(spec.blocks), 0
    for name, block in blocks.items():
        total += sizes.of_block(name)
        if total > (most := limit("operations")):
            text = f"block `{name}` and those before it make {total:,} operations or more"
            help = "blocks of blocks multiply: write fewer levels of them"
            report.add(
                Diagnostic(
                    "too-large",
                    f"{text}, {most:,} at most",
                    block.span(),
                    help=f"{help}; {way_out('operations')}",
                )
            )
            raise CompileError(report.diagnostics)
