"""A block as it is defined: its layers whatever an instance chose, for figures."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace

from compiler.errors import CompileError, Report, limit
from compiler.graph import Definition, Graph, Info, Output, Region, Shape, connect
from compiler.lower.layers import lower_body
from compiler.lower.lowering import Lowering
from compiler.lower.scope import Frame
from compiler.ops import Input, Layer
from compiler.spec import BlockSpec, ParallelLayer, ResidualLayer, layers_in
from compiler.text import Expr


def with_drafts(definitions: dict[str, Definition], lowering: Lowering) -> dict[str, Definition]:
    """Return the definitions of a network's blocks, each with its draft where it needs one."""
    out = dict(definitions)
    instances: dict[str, Region] = {}
    for region in lowering.builder.regions.values():
        if region is not None and region.definition is not None:
            instances.setdefault(region.definition, region)
    for name in definitions:
        if name in instances:
            graph = _draft(lowering.spec.blocks[name], instances[name], lowering)
            if graph is not None:
                graph = replace(graph, definitions=definitions)
                out[name] = replace(definitions[name], draft=graph)
    return out


def _draft(block: BlockSpec, instance: Region, lowering: Lowering) -> Graph | None:
    """Return the graph of a block with every layer that an instance may leave out.

    It is lowered once more with the arguments of its first instance, under that name. What does
    not fit together then, such as two ways that exclude each other, is no fault. None where the
    block has no such layers, or where it is very large.
    """
    off = {name for name, value in instance.arguments.items() if value == "none"}
    if not any(_chooses(layer, off) for layer in layers_in(block.body)):
        return None
    if lowering.sizes.of_block(block.name) > limit("drawn_operations"):
        return None
    again = Lowering(lowering.spec, Report(), lowering.defaults)
    try:
        return _lower(block, again, instance, lowering.builder.shapes)
    except CompileError:  # said of the network already
        return None


def _lower(
    block: BlockSpec, lowering: Lowering, instance: Region, shapes: Mapping[str, Shape]
) -> Graph:
    builder = lowering.builder
    inputs = tuple(dict.fromkeys(instance.inputs))
    builder.open("", "network", inputs, Info())
    for name in inputs:
        builder.add(name, Input(tuple(shapes[name])), (), Info())
    bound = {n: instance.inputs[min(i, len(inputs) - 1)] for i, n in enumerate(block.inputs)}
    builder.open(
        instance.name,
        "block",
        instance.inputs,
        instance.info,
        definition=block.name,
        arguments=instance.arguments,
    )
    frame = Frame(block.name, dict(instance.arguments), bound, is_definition=True)
    for name, param in block.params.items():  # so that there is a box to say its name in
        if param.type == "activation" and frame.params[name] == "none":
            frame.params[name] = "relu"
    end = lower_body(lowering, block, instance.name + ".", frame)
    builder.close(builder.close(end))
    regions = {name: region for name, region in builder.regions.items() if region is not None}
    title, outputs = block.title or block.name, (Output("", end),)
    network = connect(builder.nodes.values())
    return Graph(instance.name, title, network, regions, inputs, outputs)


def _chooses(layer: Layer, off: Container[str]) -> bool:
    """True for a layer that instances may leave out, have a number of, or end without function.

    `off` are the parameters that are `none` in the instance at hand.
    """
    loop = layer.common.loop or {}
    counts = [layer.common.repeat, *loop.values()]
    if layer.common.when is not None or any(isinstance(count, Expr) for count in counts):
        return True
    if isinstance(layer, ParallelLayer):
        return any(branch.when is not None for branch in layer.parts.values())
    if not isinstance(layer, ResidualLayer):
        return False
    shortcut = layer.residual.shortcut
    is_optional = shortcut is not None and shortcut.when is not None
    return is_optional or str(layer.residual.activation) in off
