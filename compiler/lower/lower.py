"""Spec -> Graph. Blocks are expanded and sugar ends here; the hierarchy stays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from compiler.errors import Diagnostic, Report
from compiler.graph import Info, Shape
from compiler.lower.blocks import lower_block
from compiler.lower.joins import is_transparent, lower_branches, lower_residual, lower_sequence
from compiler.lower.lowering import Lowering
from compiler.lower.order import lowering_order
from compiler.lower.references import flat, operands
from compiler.lower.scope import Condition, Scope
from compiler.lower.sharing import share_parameters
from compiler.ops import Layer
from compiler.spec import (
    MAX_LEVELS,
    BlockLayer,
    BranchesLayer,
    BrokenLayer,
    Defaults,
    LayersLayer,
    ResidualLayer,
    Spec,
    SplitLayer,
    Values,
)
from compiler.text import Expr

_T = TypeVar("_T")


def new_lowering(spec: Spec, report: Report, defaults: Defaults) -> Lowering:
    """Return the state for lowering a spec."""
    return Lowering(spec, report, defaults, chain)


FAULTS_OF_VALUES = ("bad-value", "bad-expression", "unknown-parameter", "frozen-norm")


def try_defaults(defaults: Defaults, report: Report) -> None:
    """Report what is wrong with a network's defaults, those too that no layer takes.

    Each is tried on a layer that says nothing else.
    """
    found = Report()
    for op, layer in defaults.layers.items():
        assert isinstance(layer, Layer)
        layer.operations(Values(layer, f"`{op}`", defaults, found))
    report.add_all(d for d in found.diagnostics if d.code in FAULTS_OF_VALUES)


def chain(lowering: Lowering, layers: list[Layer], scope: Scope, incoming: str) -> list[str]:
    """Lower a list of layers and return what leaves it: one tensor, or a split's ends."""
    names = [lowering.declare(layer, scope) for layer in layers]
    order, circles = lowering_order(layers, names, lowering.report)
    outputs: dict[int, list[str]] = {}
    for i in order:
        before = incoming if i == 0 else outputs.get(i - 1, [incoming])[-1]
        is_last = i == len(layers) - 1
        if i in circles:
            info, path = lowering.info(layers[i]), scope.prefix + names[i]
            outputs[i] = [lowering.builder.add_unknown(path, (before,), info)]
        else:
            outputs[i] = _layer(lowering, layers[i], names[i], scope, before, is_last)
        named = scope.names.get(names[i])
        if named is not None and named.left_out_by is None:
            named.tensor = outputs[i][-1]
    return outputs[len(layers) - 1] if layers else [incoming]


def _layer(
    lowering: Lowering, layer: Layer, name: str, scope: Scope, before: str, is_last: bool
) -> list[str]:
    """Lower one layer, with its condition, operands and repeat."""
    entering = _once(lambda: operands(lowering, layer, scope, before))
    values = lowering.values(layer, scope, lambda: flat(entering())[0])
    path = scope.prefix + name
    is_there = layer.common.when is None or scope.frame.is_definition
    if not (is_there or values.flag("when")):
        lowering.report.spend("left_out", 1, layer.span())
        condition = _condition(layer)
        lowering.left_out[path] = condition
        if name in scope.names:
            scope.names[name].left_out_by = condition
        return [before]
    if layer.common.when is not None:  # what is counted before it is made leaves it out
        lowering.refuse_too_large(layer, lowering.sizes.of_layer(layer, values.lookup))
    inputs = entering()
    if isinstance(layer, SplitLayer):
        if layer.common.repeat is not None or not is_last:
            lowering.report_layer(
                layer,
                "bad-split",
                "`split` is the last layer of a branch",
                "give it a `join` of its own: `{branches: ..., join: concat}`",
            )
        return lower_branches(
            lowering, layer, path, scope, inputs[0], transparent=layer.name is None
        )[1]
    if layer.common.repeat is None:
        return [_one(lowering, layer, path, scope, inputs, values)]
    return [_repeat(lowering, layer, path, scope, inputs, values)]


def _once(make: Callable[[], _T]) -> Callable[[], _T]:
    """Return a function that makes something at its first call: `cache`, ten times as fast."""
    made: list[_T] = []

    def get() -> _T:
        if not made:
            made.append(make())
        return made[0]

    return get


def _condition(layer: Layer) -> Condition:
    when = layer.common.when
    text = when.text if isinstance(when, Expr) else str(when).lower()
    return Condition(text, layer.span("when"))


def _repeat(
    lowering: Lowering,
    layer: Layer,
    path: str,
    scope: Scope,
    inputs: dict[str, str] | list[str],
    values: Values,
) -> str:
    """Lower N copies one after the other; none passes the input on."""
    count = values.integer("repeat", least=0)
    if scope.frame.is_definition and isinstance(layer.common.repeat, Expr):
        count = 1
    first = next(iter(inputs.values())) if isinstance(inputs, dict) else inputs[0]
    if count is None:
        count = 1
    lowering.refuse_too_large(layer, count * lowering.sizes.of_layer(layer, values.lookup), count)
    lowering.builder.open(path, "repeat", tuple(flat(inputs)), lowering.info(layer))
    tensor = first
    for index in range(count):
        inner = scope.child(scope.prefix, index)
        inner.names, inner.ordinals = scope.names, scope.ordinals
        values = lowering.values(layer, inner, partial(str, tensor))
        copied = (
            [tensor, *inputs[1:]]
            if isinstance(inputs, list)
            else {**inputs, next(iter(inputs)): tensor}
        )
        tensor = _one(lowering, layer, f"{path}.{index}", inner, copied, values)
    return lowering.builder.close(tensor)


def _one(
    lowering: Lowering,
    layer: Layer,
    path: str,
    scope: Scope,
    inputs: dict[str, str] | list[str],
    values: Values,
) -> str:
    """Lower one copy of a layer at `path`."""
    before = len(lowering.builder.nodes)
    tensor = _plain(lowering, layer, path, scope, inputs, values)
    if layer.common.share is not None:
        share_parameters(lowering, layer, path, scope, before)
    return tensor


def _plain(
    lowering: Lowering,
    layer: Layer,
    path: str,
    scope: Scope,
    inputs: dict[str, str] | list[str],
    values: Values,
) -> str:
    tensors = tuple(flat(inputs))
    if len(lowering.builder.stack) > MAX_LEVELS:
        message = f"layers stand in one another more than {MAX_LEVELS} deep"
        lowering.report_layer(layer, "too-deep", message, "write some of them side by side")
        tensor = lowering.builder.add_unknown(path, tensors[:1], lowering.info(layer))
    elif isinstance(layer, BlockLayer):
        tensor = lower_block(lowering, layer, path, scope, inputs, values)
    elif isinstance(layer, BranchesLayer):
        tensor = lower_branches(lowering, layer, path, scope, tensors[0], is_transparent(layer))[0]
    elif isinstance(layer, ResidualLayer):
        tensor = lower_residual(lowering, layer, path, scope, tensors[0], values)
    elif isinstance(layer, LayersLayer):
        tensor = lower_sequence(lowering, layer, path, scope, tensors[0])
    elif isinstance(layer, BrokenLayer):
        tensor = lowering.builder.add_unknown(path, tensors[:1], lowering.info(layer))
    else:
        tensor = _operations(lowering, layer, path, tensors, values)
    _check_size(lowering, layer, tensor, scope)
    return tensor


def _operations(
    lowering: Lowering, layer: Layer, path: str, tensors: tuple[str, ...], values: Values
) -> str:
    """Add what a layer computes: one node, or a region of several with what is unusual first."""
    builder, info = lowering.builder, lowering.info(layer)
    if tensors:
        channels = builder.shapes[tensors[0]].channels
        values.channels = channels if isinstance(channels, int) else None
    values.norm = lowering.norm
    parts = layer.operations(values)
    exprs, written = values.exprs, values.texts
    if len(parts) == 1:
        return builder.add(path, parts[0][1], tensors, info, exprs, written=written)
    builder.open(path, "layer", tensors, info)
    part = Info(span=info.span, errata=info.errata, cite=info.cite)
    for suffix, op in parts:
        tensors = (builder.add(f"{path}.{suffix}", op, tensors, part, exprs, written=written),)
        exprs, written = {}, {}
    return builder.close(tensors[0])


def _check_size(lowering: Lowering, layer: Layer, tensor: str, scope: Scope) -> None:
    """Compare a printed size with the computed one, or fall back on it after an error."""
    if layer.common.size is None or not scope.frame.sizes_hold:
        return
    shape, stated = lowering.builder.shapes[tensor], _printed(layer.common.size)
    if not lowering.open_blocks:  # those of a block hold for the input that it states itself
        lowering.builder.stated[tensor] = stated, layer.span("size")
    if None in shape:
        lowering.builder.claim(tensor, stated)
    elif shape.is_known and shape.paper != layer.common.size:
        lowering.report.add(
            Diagnostic(
                "wrong-size",
                f"`{tensor}` gives {shape.paper}, the size that is stated is {layer.common.size}",
                layer.span("size"),
                help="correct the layers, or the stated size",
            )
        )


def _printed(size: str) -> Shape:
    numbers = [int(n) for n in size.split("x")]
    return Shape((numbers[-1], *numbers[:-1]))
