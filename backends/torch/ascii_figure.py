"""A block as a small ASCII drawing for its docstring: data flows from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.graph import Graph, Node, Region, Shown, formulas_of, padding_text
from compiler.ops import (
    Activation,
    AvgPool2d,
    Conv2d,
    Dropout,
    GlobalPool2d,
    Linear,
    MaxPool2d,
    PReLU,
    Scale,
)
from compiler.text import Expr

GAP = 3
"""Columns between two branches."""

Box = list[str]
"""Lines of one width."""


def figure_lines(graph: Graph, region: Region, width: int) -> list[str]:
    """Return the drawing of a region, or a plain list of its layers where that is too wide."""
    box = _members(graph, region)
    if box and len(box[0]) <= width:
        return [line.rstrip() for line in box]
    return [line[:width] for line in _listing(graph, region, 0)]


def _members(graph: Graph, region: Region) -> Box:
    boxes: list[Box] = []
    for name in region.members:
        if name not in graph.regions:
            boxes.append([_label(graph.nodes[name])])
        else:
            inner = _box(graph, graph.regions[name])
            if inner:
                boxes.append(inner)
    return _stacked(boxes)


def _box(graph: Graph, region: Region) -> Box:
    if region.kind == "layer":
        return [_layer_label(graph, region)]
    if region.kind == "block":
        definition = graph.definitions.get(region.definition or "")
        return [f"[{_ascii(definition.title if definition else region.local_name)}]"]
    if region.kind == "repeat":
        return _repeat(graph, region)
    if region.kind == "branches":
        return _branches(graph, region)
    if region.kind == "residual":
        return _residual(graph, region)
    return _members(graph, region)


def _repeat(graph: Graph, region: Region) -> Box:
    copies = (_copy(graph, name) for name in region.members)
    inner = next((copy for copy in copies if copy), [])
    formula = region.info.repeat
    count = formula if formula.isidentifier() else f"({formula})" if formula else ""
    times = f"{count or len(region.members)} x "
    pad = " " * len(times)
    return [(times if i == 0 else pad) + line for i, line in enumerate(inner)]


def _copy(graph: Graph, name: str) -> Box:
    return (
        _box(graph, graph.regions[name]) if name in graph.regions else [_label(graph.nodes[name])]
    )


def _branches(graph: Graph, region: Region) -> Box:
    sides, joins = _split(graph, region)
    box = _beside(sides)
    for join in joins:
        box = _stacked([box, [_bar(join, len(box[0]))]])
    return box


def _residual(graph: Graph, region: Region) -> Box:
    """The body and the shortcut side by side, then scale, addition and activation."""
    sides, joins = _split(graph, region)
    box = _beside(sides)
    return _stacked([box, [_bar(", ".join(joins), len(box[0]))]])


def _split(graph: Graph, region: Region) -> tuple[list[Box], list[str]]:
    sides: list[Box] = []
    joins: list[str] = []
    for name in region.members:
        if name in graph.regions:
            inner = _box(graph, graph.regions[name])
            sides.append(inner or ["|"])
        else:
            joins.append(_label(graph.nodes[name]))
    return sides, joins


def _bar(text: str, width: int) -> str:
    return f"+{f' {text} '.center(max(width, len(text) + 4) - 2, '-')}+"


def _beside(boxes: Sequence[Box]) -> Box:
    height = max((len(b) for b in boxes), default=0)
    filled = [[*b, *[" " * len(b[0])] * (height - len(b))] for b in boxes]
    return [(" " * GAP).join(parts) for parts in zip(*filled, strict=True)]


def _stacked(boxes: Sequence[Box]) -> Box:
    width = max((len(b[0]) for b in boxes), default=0)
    return [line.ljust(width) for box in boxes for line in box]


def _listing(graph: Graph, region: Region, depth: int) -> list[str]:
    out: list[str] = []
    for name in region.members:
        indent = "  " * depth
        if name not in graph.regions:
            out.append(f"{indent}{_label(graph.nodes[name])}")
            continue
        inner = graph.regions[name]
        if inner.kind in ("layer", "block", "repeat"):
            out += [f"{indent}{line}".rstrip() for line in _box(graph, inner)]
        else:
            out.append(f"{indent}{_ascii(inner.local_name)}:")
            out += _listing(graph, inner, depth + 1) or [f"{indent}  |"]
    return out


def _layer_label(graph: Graph, region: Region) -> str:
    parts = [graph.nodes[m] for m in region.members if m in graph.nodes]
    label = _label(parts[0]) if parts else _ascii(region.local_name)
    extra = [
        _text(parts[0], "activation") or _word(p)
        for p in parts
        if isinstance(p.op, (Activation, PReLU)) and p.op != Activation()
    ]
    return " ".join([label, *extra])


def _label(node: Node) -> str:
    """Return an operation in a few words: `3x3 conv 384 /2 V`."""
    op = node.op
    if isinstance(op, Conv2d):
        filters = _written(node.formula("out_channels"), op.out_channels)
        return f"{_kernel(node, op.kernel_size)} conv {filters}{_window(node, op)}"
    if isinstance(op, (MaxPool2d, AvgPool2d)):
        word = "max" if isinstance(op, MaxPool2d) else "avg"
        return f"{_kernel(node, op.kernel_size)} {word} pool{_window(node, op)}"
    if isinstance(op, Linear):
        return f"linear {_written(node.formula('out_features'), op.out_features)}"
    if isinstance(op, Scale):
        return f"x {_written(node.formula('factor'), op.factor)}"
    return _word(node)


def _word(node: Node) -> str:
    """Return the usual name of an operation, else the words of a figure."""
    op = node.op
    if isinstance(op, Activation):
        if text := _text(node, "function"):
            return text
        return op.function if op.argument is None else f"{op.function} {op.argument}"
    if isinstance(op, GlobalPool2d):
        return f"global {op.function} pool"
    if isinstance(op, Dropout):
        drop = _written(node.formula("drop"), op.drop)
        return f"{'drop path' if op.per_sample else 'dropout'} {drop}"
    if len(node.inputs) > 1:
        return op.kind.lower()
    words, details = op.words(
        Shown({name: formula.text for name, formula in formulas_of(node.traced).items()})
    )
    return _ascii(" ".join([words.lower(), *details]))


def _written(expr: Expr | None, value: float) -> str:
    text = _ascii(expr.text) if expr is not None else f"{value:g}" if value % 1 else f"{value:.0f}"
    return text.replace("in.channels", "as in")


def _text(node: Node, attribute: str) -> str:
    """Return how the spec writes an attribute, or nothing where that is the value."""
    traced = node.traced.get(attribute)
    return _ascii(traced.text) if traced is not None else ""


def _times(pair: tuple[int, int]) -> str:
    return f"{pair[0]}x{pair[1]}"


def _kernel(node: Node, pair: tuple[int, int]) -> str:
    return _text(node, "kernel_size") or _times(pair)


def _window(node: Node, op: Conv2d | MaxPool2d | AvgPool2d) -> str:
    stride = "" if op.stride == (1, 1) else f" /{op.stride[0]}"
    if op.stride[0] != op.stride[1]:
        stride = f" /{_times(op.stride)}"
    if text := _text(node, "stride"):
        stride = f" /{text}"
    padding = "" if op.padding == "same" else f" {padding_text(op.padding)}"
    if text := _text(node, "padding"):
        padding = f" {text}"
    # A 1x1 kernel needs no padding, so valid, half and same are one.
    if padding in (" V", " half") and _kernel(node, op.kernel_size) == "1x1":
        padding = ""
    groups = f" g{op.groups}" if isinstance(op, Conv2d) and op.groups > 1 else ""
    if text := _text(node, "groups"):
        groups = f" {text}"
    return f"{stride}{padding}{groups}"


def _ascii(text: str) -> str:
    plain = " ".join(text.replace('"', "'").replace("\\", "/").split())
    return "".join(c if " " <= c <= "~" else "?" for c in plain)
