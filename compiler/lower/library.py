"""A library of blocks, checked block by block on an input of unknown size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import networkx as nx

from compiler.errors import CompileError, Diagnostic, Report, limit, way_out
from compiler.graph import Graph, Info
from compiler.lower.arguments import Known, parameter_default
from compiler.lower.defaults import layer_defaults
from compiler.lower.layers import lower_body
from compiler.lower.lowering import Lowering
from compiler.lower.scope import Frame
from compiler.ops import Input, Layer
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
    within = {name: _named(block.body) for name, block in spec.blocks.items()}
    used = {region.definition or "" for region in graph.regions.values()} | _named(network.layers)
    contains = nx.DiGraph((name, inner) for name, names in within.items() for inner in names)
    contains.add_nodes_from((*used, *spec.own_blocks))
    used = set(chain.from_iterable(nx.bfs_layers(contains, used)))
    unused = _outermost(contains, [name for name in spec.own_blocks if name not in used])
    if unused:
        defaults = Defaults(layer_defaults(network, report), graph.arguments, set())
        found = Report()
        try:
            _check(unused, spec, found, defaults)
        except CompileError as error:
            found.add_all(error.diagnostics)
        report.add_all(found.errors)


def _named(layers: Iterable[Layer]) -> set[str]:
    return {layer.block for layer in layers_in(layers) if isinstance(layer, BlockLayer)}


def _outermost(contains: nx.DiGraph[str], blocks: Sequence[str]) -> list[str]:
    """Return the blocks that no other of them contains, at any depth, or that contain each other.

    What an unused block contains is checked with it.
    """
    parts = nx.condensation(contains)  # blocks that contain each other are one part
    inside, known = set[int](), set(blocks)
    for part in nx.topological_sort(parts):
        if part in inside or not parts.nodes[part]["members"].isdisjoint(known):
            inside.update(parts.successors(part))
    return [name for name in blocks if parts.graph["mapping"][name] not in inside]


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
        frame = Frame(name, {}, {i: i for i in block.inputs})
        for key, param in block.params.items():
            known, has_default = Known(frame.params), param.default is not None
            frame.params[key] = (
                parameter_default(report, key, param, known, []) if has_default else None
            )
        end = lower_body(lowering, block, f"{name}.", frame)
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
