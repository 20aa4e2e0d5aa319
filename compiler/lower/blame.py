"""Why a shape does not fit: the operands, the layers that made them, the erratum, the way out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

from compiler.errors import Diagnostic, Remark
from compiler.graph import Erratum, Info, Node, Shape, ShapeError, Symbolic, show, show_sizes
from compiler.ops import Concat, Multiply, Op
from compiler.ops.merge import SAME_STRIDE, Join

STEPS_BACK = 1000
"""Layers that are followed back."""
STEPS = 6
"""Layers that are named on the way to a bad shape."""


def blame(
    error: ShapeError,
    op: Op,
    name: str,
    info: Info,
    operands: tuple[Node, ...],
    nodes: Mapping[str, Node],
    written: Sequence[str] = (),
) -> Diagnostic:
    """Return the diagnostic for an operation that does not fit its operands.

    `written` are the operands as the layer names them, where it does.
    """
    if isinstance(op, Join) and error.code == "shape-mismatch":
        if _is_first(op, operands):
            return _blame_order(op, name, info, operands, nodes, written)
        return _blame_join(op, name, info, operands, nodes)
    source = operands[0] if operands else None
    notes = [f"`{source.name}` gives {source.shape}"] if source else []
    if source is not None and error.code == "empty-output":
        notes = [_grid_history(source, nodes)]
    if source is not None and error.code == "groups-mismatch":
        notes += _written(_maker(source, nodes))
    return Diagnostic(
        error.code,
        f"`{name}`: {error}",
        info.span,
        notes=tuple(notes),
        help=error.help,
        errata=tuple(e.id for e in info.errata),
    )


def _blame_join(
    op: Join, name: str, info: Info, operands: tuple[Node, ...], nodes: Mapping[str, Node]
) -> Diagnostic:
    """Name every operand of a join with its size, and the one that differs from the rest."""
    sizes = [_compared(op, o.shape) for o in operands]
    gate = _gate(op, operands)
    odd = _odd_one(sizes, info, op) if gate is None else gate
    culprit = _maker(operands[odd], nodes)
    noun = op.kind.lower()
    unequal = list(dict.fromkeys(s for i, s in enumerate(sizes) if s != sizes[odd]))
    message = f"`{name}` cannot {op.verb} {sizes[odd]} with {' and '.join(unequal) or sizes[odd]}"
    remarks = [Remark(info.span, f"the {noun} that they enter")]
    seen = {culprit.info.span, info.span}
    for place, operand in enumerate(operands):
        maker = _maker(operand, nodes)
        if place != odd and maker.info.span not in seen:
            seen.add(maker.info.span)
            remarks.append(Remark(maker.info.span, f"this gives {operand.shape.paper}"))
    errata = _errata(culprit, info)
    return Diagnostic(
        "shape-mismatch",
        message,
        culprit.info.span,
        label=f"this gives {operands[odd].shape.paper}",
        remarks=tuple(
            sorted(remarks, key=lambda r: (r.span.file != culprit.info.span.file, r.span.line))
        ),
        notes=(
            *(_operand(i, o, nodes) for i, o in enumerate(operands, 1)),
            _difference(op, operands),
            *(f"erratum {e.id}, {e.where}: prints {e.printed}; {e.why}" for e in errata),
        ),
        help=_help(op, operands, odd, culprit, errata),
        errata=tuple(e.id for e in errata),
    )


def _blame_order(
    op: Op,
    name: str,
    info: Info,
    operands: tuple[Node, ...],
    nodes: Mapping[str, Node],
    written: Sequence[str],
) -> Diagnostic:
    """Say of a product that its map of 1x1, or of one channel, stands before what it gates."""
    gate, *others = operands
    sizes = dict.fromkeys(o.shape.paper for o in others)
    remarks = {
        maker.info.span: f"this gives {operand.shape.paper}"
        for operand in operands
        if (maker := _maker(operand, nodes)).info.span != info.span
    }
    is_pixel = gate.shape.grid == (1, 1)
    what, over = ("is 1x1", "grid") if is_pixel else ("has one channel", "channels")
    rule = (
        f"`{gate.name}` {what}: it is spread over the {over} of the operands that stand before it"
    )
    help = f"put the branch that gives `{gate.name}` behind the others"
    if written:
        help = f"write `multiply: [{', '.join([*written[1:], written[0]])}]`"
    return Diagnostic(
        "operand-order",
        f"`{name}` cannot multiply {gate.shape.paper} with {' and '.join(sizes)}",
        info.span,
        remarks=tuple(Remark(span, text) for span, text in remarks.items()),
        notes=(*(_operand(i, o, nodes) for i, o in enumerate(operands, 1)), rule),
        help=help,
    )


def _written(maker: Node) -> list[str]:
    """Return the expression that a number of channels was written as, as a note."""
    expr = maker.formula("out_channels") or maker.formula("out_features")
    number = show(maker.shape.channels)
    return [f"{number} = {expr.text}, the `filters` of `{maker.name}`"] if expr else []


def _compared(op: Op, shape: Shape) -> str:
    """Return the part of a shape that a join compares: the grid of a concat, all of an add."""
    if isinstance(op, Concat):
        return shape.paper if shape.grid else str(shape)
    return shape.paper


def _odd_one(sizes: list[str], info: Info, op: Op) -> int:
    """Return the operand to blame: unlike the print, else unlike most, else the last."""
    keys = [s.rpartition("x")[0] if isinstance(op, Concat) else s for s in sizes]
    if info.size:
        wanted = info.size.rpartition("x")[0] if isinstance(op, Concat) else info.size
        wrong = [i for i, k in enumerate(keys) if k != wanted]
        if wrong and len(wrong) < len(keys):
            return wrong[0]
    counts = Counter(keys)
    common, times = counts.most_common(1)[0]
    if times > 1:
        return next(i for i, k in enumerate(keys) if k != common)
    return len(sizes) - 1


def _maker(node: Node, nodes: Mapping[str, Node]) -> Node:
    """Return the node that gave a tensor its channels or grid: norms and activations keep both."""
    while node.op.keeps_shape and node.inputs:
        node = nodes[node.inputs[0]]
    return node


def _difference(op: Op, operands: tuple[Node, ...]) -> str:
    gate = _gate(op, operands)
    if gate is not None:
        name = operands[gate].name
        return f"`{name}` is 1x1: it is spread over the grid, and needs a channel for each"
    shapes = [o.shape for o in operands]
    channels = {s.channels for s in shapes}
    grids = {s.grid for s in shapes}
    if isinstance(op, Concat):
        same = "the channels agree, " if len(channels) == 1 and None not in channels else ""
        return f"{same}a concat needs equal grids; channels may differ"
    parts = []
    if len(channels) > 1:
        parts.append("channels " + " against ".join(show(s.channels) for s in shapes))
    if len(grids) > 1:
        parts.append("grids " + " against ".join(show_sizes(s.grid) or "none" for s in shapes))
    return f"they differ in {' and in '.join(parts)}; nothing is broadcast, cropped or filled"


def _errata(culprit: Node, info: Info) -> list[Erratum]:
    """Return the errata that explain a misfit: those whose print shows the culprit's own width."""
    recorded = [e for e in (*culprit.info.errata, *info.errata) if e.severity == "unbuildable"]
    width = str(culprit.shape.channels)
    telling = [e for e in recorded if width in re.findall(r"\d+", e.printed)]
    return telling or recorded


def _help(
    op: Op, operands: tuple[Node, ...], odd: int, culprit: Node, errata: list[Erratum]
) -> str:
    fitting = [e for e in errata if e.id in {x.id for x in culprit.info.errata}] or errata
    if fitting:
        return f"erratum {fitting[0].id}: build {fitting[0].built}"
    if letters := _letters_apart(operands):
        return f"use the same letters in the inputs: {letters} are open on their own"
    if isinstance(op, Concat):
        return op.way_out
    return _help_sum(operands, odd, culprit, is_gated=_gate(op, operands) is not None)


def _letters_apart(operands: tuple[Node, ...]) -> str:
    """Return the letters of grids that are left open by different inputs; "" if none are."""
    grids = dict.fromkeys(
        tuple(dict.fromkeys(x for d in o.shape.grid if isinstance(d, Symbolic) for x in d.letters))
        for o in operands
    )
    texts = [", ".join(f"`{x}`" for x in letters) for letters in grids]
    return " and ".join(texts) if len(texts) > 1 and all(grids) else ""


def _gate(op: Op, operands: tuple[Node, ...]) -> int | None:
    """Return which operand of a product is spread over the grid of the others, None if none is."""
    gates = [i for i, operand in enumerate(operands) if operand.shape.grid == (1, 1)]
    is_one = isinstance(op, Multiply) and len(gates) == 1 and len(operands) > 1
    return gates[0] if is_one and all(len(o.shape) == 3 for o in operands) else None


def _is_first(op: Op, operands: tuple[Node, ...]) -> bool:
    """True for a product that would fit, were its first operand the last."""
    if not isinstance(op, Multiply):
        return False
    first, *others = (operand.shape for operand in operands)
    with suppress(ShapeError):
        op.infer_shape(*others, first)
        return True
    return False


def _help_sum(operands: tuple[Node, ...], odd: int, culprit: Node, is_gated: bool = False) -> str:
    """Return how a sum can be made to close: a width, or a projection on one operand."""
    other = next(o for i, o in enumerate(operands) if i != odd)
    if len({len(o.shape) for o in operands}) > 1:
        return (
            "a vector and a map do not add up: pool the map, or take the vector before its pooling"
        )
    channels = show(other.shape.channels)
    if len({o.shape.grid for o in operands}) > 1 and not is_gated:
        if len(operands) == 2:
            operands, odd, channels = operands[::-1], 1, show(operands[1].shape.channels)
        return (
            f"project `{operands[odd].name}` with a 1x1 convolution to {channels} "
            f"that has {SAME_STRIDE}"
        )
    how = "a 1x1 convolution" if other.shape.grid else "a `linear`"
    project = f"project `{operands[odd].name}` with {how} to {channels}"
    width = culprit.op.width_key
    if not width:
        return project
    written = culprit.formula("out_channels")
    now = f" (it is `{written.text}` now)" if written else ""
    return f"set `{width}` to {channels}{now}, or {project}"


def _operand(number: int, node: Node, nodes: Mapping[str, Node]) -> str:
    """Return an operand with its size, and the layer that changed the grid last."""
    text = f"operand {number}: {node.shape.paper} from `{node.name}`"
    resized, at = None, node
    for _ in range(STEPS_BACK):
        if not at.inputs:
            break
        before = nodes[at.inputs[0]]
        if before.shape.grid != at.shape.grid:
            resized = before, at
            break
        at = before
    if resized is None or resized[1] is node:
        return text
    return f"{text}, on a grid that `{resized[1].name}` made {_grid(node)} of {_grid(resized[0])}"


def _grid_history(node: Node, nodes: Mapping[str, Node]) -> str:
    """Return how the grid shrank on the way: `75x75 -> ... -> 2x2`, with the layers."""
    steps = [(_grid(node), node.name)]
    while node.inputs and len(steps) < 100:
        before = nodes[node.inputs[0]]
        if before.shape.grid != node.shape.grid:
            steps.append((_grid(before), before.name))
        else:
            steps[-1] = (steps[-1][0], before.name) if before.inputs else steps[-1]
        node = before
    shown = [f"{grid} ({name})" for grid, name in reversed(steps[:STEPS])]
    first = [f"{steps[-1][0]} ({steps[-1][1]})", "..."] if len(steps) > STEPS else []
    return "the grid on the way: " + " -> ".join([*first, *shown])


def _grid(node: Node) -> str:
    return show_sizes(node.shape.grid) or "vector"
