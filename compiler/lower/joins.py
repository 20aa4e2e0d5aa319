"""Sequences, branches, splits and residuals -> regions and their joins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from compiler.graph import Info
from compiler.lower.lowering import Lowering
from compiler.lower.scope import Named, Scope
from compiler.ops import ACTIVATION_WORDS, JOINS, Activation, Layer, Op, Scale
from compiler.spec import BranchesLayer, LayersLayer, ResidualLayer, SplitLayer, Values, check_name
from compiler.text import Expr, Located
from compiler.text.names import read_layer_name


def lower_sequence(
    lowering: Lowering, layer: LayersLayer, path: str, scope: Scope, incoming: str
) -> str:
    """Lower layers one after the other."""
    transparent = is_transparent(layer)
    lowering.builder.open(path, "chain", (incoming,), lowering.info(layer), transparent=transparent)
    inner = lowering.inner(scope, path, transparent)
    return lowering.builder.close(lowering.chain(layer.layers, inner, incoming)[-1])


def lower_branches(
    lowering: Lowering,
    layer: BranchesLayer | SplitLayer,
    path: str,
    scope: Scope,
    incoming: str,
    transparent: bool,
) -> tuple[str, list[str]]:
    """Lower parallel chains; a `branches` is joined, a `split` gives all its ends."""
    info = lowering.info(layer)
    lowering.builder.open(path, "branches", (incoming,), info, transparent=transparent)
    inner = lowering.inner(scope, path, transparent)
    ends: list[str] = []
    branches = layer.branches if isinstance(layer, BranchesLayer) else layer.split
    for name, layers in branches.items():
        ends.extend(_branch(lowering, name, layers, layer, inner, incoming))
    if isinstance(layer, SplitLayer):
        return lowering.builder.close(ends[-1] if ends else incoming), ends or [incoming]
    name = inner.automatic(layer.join)
    inner.names[name] = Named(inner.prefix + name, layer.span("join"), is_automatic=True)
    span = layer.span("join") if layer.says("join") else info.span
    join = lowering.builder.add(
        inner.prefix + name,
        JOINS[layer.join](),
        tuple(ends or [incoming]),
        replace(info, span=span, title=None, size=info.size if scope.frame.sizes_hold else None),
    )
    inner.names[name].tensor = join
    return lowering.builder.close(join), [join]


def _branch(
    lowering: Lowering, name: str, layers: list[Layer], layer: Layer, scope: Scope, incoming: str
) -> list[str]:
    span = layer.key_span(layer.op, name)
    check_name(name, read_layer_name, span, "the name of a branch", lowering.report)
    name = lowering.free(name, span, scope, is_automatic=False)
    path = scope.prefix + name
    scope.names[name] = Named(path, span, is_automatic=False)
    lowering.builder.open(path, "branch", (incoming,), Info(span=layer.span(layer.op, name)))
    ends = lowering.chain(layers, scope.child(path + "."), incoming)
    lowering.builder.close(ends[-1])
    scope.names[name].tensor = ends[-1]
    return ends


def lower_residual(
    lowering: Lowering, layer: ResidualLayer, path: str, scope: Scope, incoming: str, values: Values
) -> str:
    """Shortcut + scale * body, then the activation (Figures 10 and 20)."""
    transparent = is_transparent(layer)
    info = lowering.info(layer)
    lowering.builder.open(path, "residual", (incoming,), info, transparent=transparent)
    inner = lowering.inner(scope, path, transparent)
    part = layer.residual
    if part._node is None:
        part.locate(layer._node)
    body = _part(lowering, "body", part.body or [], inner, incoming, part, transparent=True)
    shortcut = _part(
        lowering, "shortcut", part.shortcut or [], inner, incoming, part, transparent=False
    )
    reader = lowering.reader(part, "`residual`", scope, lambda: incoming)
    where = Info(span=part.span())
    if part.scale is not None:
        factor = reader.number("scale", "factor")
        op: Op = Scale(1.0 if factor is None else factor)
        body = _named_node(
            lowering,
            inner,
            "scale",
            op,
            (body,),
            replace(where, span=part.span("scale")),
            reader.exprs,
            reader.texts,
        )
    function = reader.word("activation", ACTIVATION_WORDS)
    join = replace(info, span=layer.key_span("residual"), title=None, drawn=True, errata=())
    out = _named_node(
        lowering, inner, "add", JOINS["add"](), (shortcut, body), replace(join, label=None)
    )
    if function != "none":
        out = _named_node(
            lowering,
            inner,
            "act",
            Activation(function),
            (out,),
            replace(where, span=part.span("activation")),
            written={"function": reader.texts.get("activation", "")},
        )
    return lowering.builder.close(out)


def _part(
    lowering: Lowering,
    name: str,
    layers: list[Layer],
    scope: Scope,
    incoming: str,
    part: Located,
    transparent: bool,
) -> str:
    """Lower the body (its layers stand in the residual's own scope) or the shortcut."""
    local = scope.automatic(name)
    path = scope.prefix + local
    scope.names[local] = Named(path, part.span(name), is_automatic=True)
    info = Info(span=part.span(name))
    lowering.builder.open(path, "branch", (incoming,), info, transparent=transparent)
    inner = scope if transparent else scope.child(path + ".")
    end = lowering.builder.close(lowering.chain(layers, inner, incoming)[-1])
    scope.names[local].tensor = end
    return end


def _named_node(
    lowering: Lowering,
    scope: Scope,
    base: str,
    op: Op,
    inputs: tuple[str, ...],
    info: Info,
    exprs: Mapping[str, Expr] | None = None,
    written: Mapping[str, str] | None = None,
) -> str:
    name = scope.automatic(base)
    scope.names[name] = Named(scope.prefix + name, info.span, is_automatic=True)
    node = lowering.builder.add(scope.prefix + name, op, inputs, info, exprs, written=written)
    scope.names[name].tensor = node
    return node


def is_transparent(layer: Layer) -> bool:
    """True for a scope that adds nothing to the names inside."""
    return layer.name is None and layer.common.repeat is None
