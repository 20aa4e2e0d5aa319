"""The recursion: a list of layers, one layer, its copies, and what each structure holds.

It reads from top to bottom, as the functions below stand:

    layers                a list, in the order in which it can be computed
      layer               one of them: left out, a repeat, or one copy
        copy              an operation, or a structure of lists
          sequence        `layers`
          branches        `branches` and `split`
          residual        `residual`
          block           `block`: its body is a list again
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import NoReturn, TypeVar

from compiler.errors import CompileError, Diagnostic, Span
from compiler.graph import Decision, Info, RegionKind, Traced, Traces
from compiler.lower.arguments import (
    bind_inputs,
    block_arguments,
    block_meant,
    report_unknown_block,
)
from compiler.lower.assertions import check_assertions
from compiler.lower.copies import variables_of_copies
from compiler.lower.local_names import settle_names
from compiler.lower.lowering import Lowering, text_of
from compiler.lower.operands import Operands, operands
from compiler.lower.order import lowering_order
from compiler.lower.printed_sizes import check_size, printed
from compiler.lower.scope import Frame, Named, Scope
from compiler.lower.sharing import share_parameters
from compiler.ops import JOINS, JoinLayer, Layer, Op, Scale, activation_of
from compiler.spec import (
    MAX_LEVELS,
    BlockLayer,
    BlockSpec,
    Branch,
    BranchesLayer,
    BrokenLayer,
    LayersLayer,
    LayerValues,
    ParallelLayer,
    ResidualLayer,
    SplitLayer,
    check_name,
)
from compiler.text import Expr
from compiler.text.names import read_layer_name

_T = TypeVar("_T")


NO_LAYERS = Branch.model_construct(layers=[])
"""A shortcut that passes the input on."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a layer: where it is, what enters it, what reads its formulas."""

    path: str
    scope: Scope
    operands: Operands
    values: LayerValues


def lower_layers(
    lowering: Lowering,
    layers: list[Layer],
    scope: Scope,
    incoming: str,
    *,
    is_branch: bool = False,
) -> list[str]:
    """Lower a list of layers and return what leaves it: one tensor, or a split's ends.

    A split is the last layer of a branch: of a list whose ends enter a join.
    """
    names = [lowering.declare(layer, scope) for layer in layers]
    order, circles = lowering_order(layers, names, lowering.report, scope)
    outputs: dict[int, list[str]] = {}
    for i in order:
        before = incoming if i == 0 else outputs.get(i - 1, [incoming])[-1]
        if i in circles:
            info, path = lowering.info(layers[i]), scope.prefix + names[i]
            outputs[i] = [lowering.builder.add_unknown(path, (before,), info)]
        else:
            may_split = is_branch and i == len(layers) - 1
            outputs[i] = _layer(lowering, layers[i], names[i], scope, before, may_split)
        named = scope.names.get(names[i])
        if named is not None and named.left_out_by is None:
            named.tensor = outputs[i][-1]
    return outputs[len(layers) - 1] if layers else [incoming]


def _layer(
    lowering: Lowering, layer: Layer, name: str, scope: Scope, before: str, may_split: bool
) -> list[str]:
    """Lower one layer, with its condition, operands and repeat."""
    path = scope.prefix + name
    is_there = layer.common.when is None or scope.frame.is_definition
    if layer.common.when is False and not is_there:  # no formula is read: there may be many
        _leave_out(lowering, layer, path, scope.names.get(name))
        return [before]
    entering = _once(lambda: operands(lowering, layer, scope, before))
    values = lowering.values(layer, scope, lambda: entering().first)
    if not (is_there or values.flag("when")):
        _leave_out(lowering, layer, path, scope.names.get(name))
        return [before]
    if layer.common.when is not None:  # what is counted before it is made leaves it out
        lowering.refuse_too_large(layer, lowering.sizes.of_layer(layer, values.lookup))
    at = Copy(path, scope, entering(), values)
    if isinstance(layer, SplitLayer):
        if layer.is_copied or not may_split:
            lowering.report_layer(
                layer,
                "bad-split",
                "`split` is the last layer of a branch",
                "give it a `join` of its own: `{branches: ..., join: concat}`",
            )
        return _split(lowering, layer, at)
    lower = _copies if layer.is_copied else _copy
    return [lower(lowering, layer, at)]


def _leave_out(lowering: Lowering, where: Layer | Branch, path: str, named: Named | None) -> None:
    """Note that a `when` leaves a layer or a branch out."""
    lowering.report.spend("left_out", 1, where.span())
    condition = lowering.condition(where)
    lowering.left_out[path] = condition
    if named is not None:
        named.left_out_by = condition


def _once(make: Callable[[], _T]) -> Callable[[], _T]:
    """Return a function that makes something at its first call: `cache`, ten times as fast."""
    made: list[_T] = []

    def get() -> _T:
        if not made:
            made.append(make())
        return made[0]

    return get


def _copies(lowering: Lowering, layer: Layer, at: Copy) -> str:
    """Lower the copies of a layer one after the other; none passes the input on."""
    scope = at.scope
    count, copies = variables_of_copies(lowering, layer, at.values, scope)
    times = layer.common.repeat
    traced = {"repeat": at.values.trace("repeat", times)} if isinstance(times, Expr) else {}
    size = lowering.sizes.of_layer(layer, at.values.lookup)
    lowering.refuse_too_large(layer, count * size, count)
    info = lowering.info(layer)
    lowering.builder.open(at.path, "repeat", at.operands.tensors, info, traced=traced)
    tensor = at.operands.first
    for index, variables in enumerate(copies):
        inner = scope.copy(variables)
        values = lowering.values(layer, inner, partial(str, tensor))
        copy = Copy(f"{at.path}.{index}", inner, at.operands.entered_by(tensor), values)
        tensor = _copy(lowering, layer, copy)
    return lowering.builder.close(tensor)


def _copy(lowering: Lowering, layer: Layer, at: Copy) -> str:
    """Lower one copy of a layer and return its tensor."""
    before = len(lowering.builder.nodes)
    tensor = _computed(lowering, layer, at)
    check_size(lowering, layer, tensor, at.scope)
    if layer.common.share is not None:
        share_parameters(lowering, layer, at.path, at.scope, before)
    return tensor


def _computed(lowering: Lowering, layer: Layer, at: Copy) -> str:
    if len(lowering.builder.stack) > MAX_LEVELS:
        message = f"layers stand in one another more than {MAX_LEVELS} deep"
        lowering.report_layer(layer, "too-deep", message, "write some of them side by side")
        return _unknown(lowering, layer, at)
    match layer:
        case BlockLayer():
            return _block(lowering, layer, at)
        case BranchesLayer():
            return _branches(lowering, layer, at)
        case ResidualLayer():
            return _residual(lowering, layer, at)
        case LayersLayer():
            return _sequence(lowering, layer, at)
        case BrokenLayer():
            return _unknown(lowering, layer, at)
    return _operations(lowering, layer, at)


def _unknown(lowering: Lowering, layer: Layer, at: Copy) -> str:
    return lowering.builder.add_unknown(at.path, at.operands.tensors[:1], lowering.info(layer))


def _operations(lowering: Lowering, layer: Layer, at: Copy) -> str:
    """Add what a layer computes: one node, or a region of several with the first one's formulas."""
    builder, info, values = lowering.builder, lowering.info(layer), at.values
    channels = builder.shapes[at.operands.first].channels
    values.channels = channels if isinstance(channels, int) else None
    values.norms = lowering.norms
    values.is_sized_by_layer = at.operands.is_sized
    parts = layer.operations(values)
    traced, tensors = values.traced, at.operands.tensors
    if len(parts) == 1:
        written = layer.joined if isinstance(layer, JoinLayer) else ()
        return builder.add(at.path, parts[0][1], tensors, info, traced, written=written)
    builder.open(at.path, "layer", tensors, info)
    part = Info(info.span, errata=info.errata, cite=info.cite, written=info.written)
    for suffix, op in parts:
        tensors = (builder.add(f"{at.path}.{suffix}", op, tensors, part, traced),)
        traced = {}
    return builder.close(tensors[0])


# -- structures ----------------------------------------------------------------------------------


def is_transparent(layer: Layer) -> bool:
    """True for a structure that adds nothing to the names inside."""
    return layer.name is None and not layer.is_copied


def _sequence(lowering: Lowering, layer: LayersLayer, at: Copy) -> str:
    """Lower layers one after the other."""
    inner = _open(lowering, "chain", layer, at)
    return lowering.builder.close(
        lower_layers(lowering, layer.layers, inner, at.operands.first)[-1]
    )


def _open(lowering: Lowering, kind: RegionKind, layer: Layer, at: Copy) -> Scope:
    """Open the region of a structure and return the scope of what is inside it."""
    transparent, info = is_transparent(layer), lowering.info(layer)
    incoming = (at.operands.first,)
    lowering.builder.open(at.path, kind, incoming, info, transparent=transparent)
    return at.scope if transparent else at.scope.child(at.path + ".")


def _split(lowering: Lowering, layer: SplitLayer, at: Copy) -> list[str]:
    """Lower parallel chains whose ends enter the join around."""
    inner = _open(lowering, "branches", layer, at)
    ends = _ends(lowering, layer, inner, at)
    lowering.builder.close(ends[-1])
    return ends


def _branches(lowering: Lowering, layer: BranchesLayer, at: Copy) -> str:
    """Lower parallel chains and their join."""
    inner = _open(lowering, "branches", layer, at)
    ends = _ends(lowering, layer, inner, at)
    info = lowering.info(layer)
    size = info.size if at.scope.frame.sizes_hold else None
    span = layer.span("join") if layer.says("join") else info.span
    info = replace(info, span=span, title=None, size=size)
    place = layer.span("join")
    join = _named_node(lowering, inner, layer.join, JOINS[layer.join](), tuple(ends), info, place)
    return lowering.builder.close(join)


def _ends(lowering: Lowering, layer: ParallelLayer, scope: Scope, at: Copy) -> list[str]:
    """Lower the branches of a layer and return what leaves those that are there, in order."""
    ends: list[str] = []
    for name, branch in layer.parts.items():
        span = layer.key_span(layer.op, name)
        check_name(name, read_layer_name, span, "the name of a branch", lowering.report)
        local = lowering.free(name, span, scope, is_automatic=False)
        named = scope.names[local] = Named(scope.prefix + local, span, is_automatic=False)
        if not _is_there(lowering, layer, branch, f"branch `{name}`", scope, at):
            _leave_out(lowering, branch, named.path, named)
            continue
        info, incoming = Info(span=branch.span(), when=text_of(branch.when)), at.operands.first
        ends += _branch(lowering, named, branch.layers, scope, incoming, info, is_branch=True)
    if not ends and layer.parts:
        message = "no branch is left: the `when` of every one is false"
        help = f"keep one of them, or give the `{layer.op}` a `when` of its own"
        lowering.report_layer(layer, "left-out", message, help, layer.op)
    return ends or [at.operands.first]


def _is_there(
    lowering: Lowering, layer: Layer, branch: Branch, what: str, scope: Scope, at: Copy
) -> bool:
    """True unless the `when` of a branch leaves it out."""
    if branch.when is None or scope.frame.is_definition:
        return True
    values = lowering.reader(branch, what, scope, lambda: at.operands.first)
    if not values.flag("when"):
        return False
    size = lowering.sizes.of_chain(branch.layers, values.lookup)
    lowering.refuse_too_large(layer, size)  # what is counted before it is made leaves it out
    return True


def _branch(
    lowering: Lowering,
    named: Named,
    layers: list[Layer],
    scope: Scope,
    incoming: str,
    info: Info,
    transparent: bool = False,
    *,
    is_branch: bool = False,
) -> list[str]:
    """Lower one chain of a structure, in a scope of its own unless it is transparent."""
    lowering.builder.open(named.path, "branch", (incoming,), info, transparent=transparent)
    inner = scope if transparent else scope.child(named.path + ".")
    ends = lower_layers(lowering, layers, inner, incoming, is_branch=is_branch)
    lowering.builder.close(ends[-1])
    named.tensor = ends[-1]
    return ends


def _residual(lowering: Lowering, layer: ResidualLayer, at: Copy) -> str:
    """Shortcut + scale * body, then the activation (Figures 10 and 20)."""
    part, info, incoming = layer.residual, lowering.info(layer), at.operands.first
    inner = _open(lowering, "residual", layer, at)
    if part._node is None:
        part.locate(layer._node)

    def named_part(name: str) -> Named:
        local = inner.automatic(name)
        named = Named(inner.prefix + local, part.span(name), is_automatic=True)
        inner.names[local] = named
        return named

    whole = named_part("body")
    where = Info(span=whole.span)
    body = _branch(lowering, whole, part.body, inner, incoming, where, transparent=True)[-1]
    aside, skip = named_part("shortcut"), part.shortcut or NO_LAYERS
    is_added = _is_there(lowering, layer, skip, "`shortcut`", at.scope, at)
    where = Info(span=aside.span, when=text_of(skip.when))
    shortcut = ""
    if is_added:
        shortcut = _branch(lowering, aside, skip.layers, inner, incoming, where)[-1]
    else:
        _leave_out(lowering, skip, aside.path, aside)
    reader = lowering.reader(part, "`residual`", at.scope, lambda: incoming)
    if part.scale is not None:
        factor = reader.number("scale", "factor")
        op: Op = Scale(1.0 if factor is None else factor)
        where = Info(span=part.span("scale"))
        body = _named_node(lowering, inner, "scale", op, (body,), where, traced=reader.traced)
    function = reader.activation("activation")
    join = replace(
        info, span=layer.key_span("residual"), title=None, drawn=True, errata=(), label=None
    )
    join = replace(join, when=where.when or join.when)
    if is_added:
        out = _named_node(lowering, inner, "add", JOINS["add"](), (shortcut, body), join)
    else:
        out, local = body, inner.automatic("add")
        inner.names[local] = Named(inner.prefix + local, join.span, is_automatic=True)
        _leave_out(lowering, skip, inner.prefix + local, inner.names[local])
    if function != "none":
        where = Info(span=part.span("activation"))
        traced = {"function": reader.traced.get("activation", Traced())}
        op = activation_of(function)
        out = _named_node(lowering, inner, "act", op, (out,), where, traced=traced)
    return lowering.builder.close(out)


def _named_node(
    lowering: Lowering,
    scope: Scope,
    base: str,
    op: Op,
    inputs: tuple[str, ...],
    info: Info,
    span: Span | None = None,
    *,
    traced: Traces | None = None,
) -> str:
    """Add a node that a structure makes, under a name that is free and can be referred to."""
    name = scope.automatic(base)
    named = Named(scope.prefix + name, span or info.span, is_automatic=True)
    scope.names[name] = named
    named.tensor = lowering.builder.add(named.path, op, inputs, info, traced)
    return named.tensor


# -- blocks --------------------------------------------------------------------------------------


def _block(lowering: Lowering, layer: BlockLayer, at: Copy) -> str:
    """Lower an instance of a block."""
    block = block_meant(lowering, layer, at.scope)
    if block is None:
        report_unknown_block(lowering, layer, at.scope)
        return _unknown(lowering, layer, at)
    if block.name in lowering.open_blocks:
        _refuse_cycle(lowering, layer, block)
    decisions: list[Decision] = []
    arguments = block_arguments(lowering, layer, block, at.values, decisions)
    inputs = bind_inputs(lowering, layer, block, at.operands)
    traced = {n: t for n in arguments if (t := at.values.traced.get(f"with.{n}"))}
    info = lowering.info(layer)
    if info.title is None:
        info = replace(info, title=block.title or block.name)
    lowering.builder.open(
        at.path,
        "block",
        at.operands.tensors,
        info,
        definition=block.name,
        arguments=dict(arguments),  # those of the frame are joined by what a `let` names
        traced=traced,
        decisions=decisions,
    )
    frame = Frame(block.name, arguments, inputs, decisions=decisions)
    frame.is_definition = at.scope.frame.is_definition
    return lowering.builder.close(lower_body(lowering, block, at.path + ".", frame))


def lower_body(lowering: Lowering, block: BlockSpec, prefix: str, frame: Frame) -> str:
    """Lower a block's layers under a prefix, with the parameters and inputs of a frame."""
    lowering.open_blocks.append(block.name)
    lowering.instances.add(block.name)
    frame.defaults = {k: p.default for k, p in block.params.items() if p.type == "activation"}
    frame.used = lowering.used_params.setdefault(block.name, set())
    first, stated = next(iter(frame.inputs.values())), block.input_size
    frame.sizes_hold = stated is not None and lowering.builder.shapes[first] == printed(stated)
    scope = Scope(prefix, frame)
    settle_names(lowering, block, scope)
    before = len(lowering.builder.nodes)
    end = lower_layers(lowering, block.body, scope, first)[-1]
    own = islice(lowering.builder.nodes.values(), before, None)
    check_assertions(lowering, block, scope, end, own)
    lowering.open_blocks.pop()
    return end


def _refuse_cycle(lowering: Lowering, layer: BlockLayer, block: BlockSpec) -> NoReturn:
    cycle = [*lowering.open_blocks[lowering.open_blocks.index(block.name) :], block.name]
    found = Diagnostic(
        "block-cycle",
        f"blocks contain each other: {' -> '.join(cycle)}",
        layer.span("block"),
        help="a block cannot contain itself; use `repeat`",
    )
    raise CompileError([*lowering.report.diagnostics, found])
