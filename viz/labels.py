"""The words in a box, made from operations the way the paper words them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch

from compiler.expr import show_value
from compiler.graph import Graph, Node
from compiler.ops import (
    Activation,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    GlobalPool2d,
    Identity,
    Input,
    Linear,
    MaxPool2d,
    Multiply,
    Normalize,
    Op,
    Scale,
    Slice,
    Softmax,
    Upsample,
)
from compiler.ops.base import padding_text
from compiler.shapes import Pads, Pair, Shape
from viz.diagram import BoxKind

FUNCTIONS = {
    "relu": "Relu",
    "relu6": "ReLU6",
    "leaky_relu": "Leaky ReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softplus": "Softplus",
    "hard_sigmoid": "Hard sigmoid",
    "hard_swish": "Hard swish",
}
"""Activation in a spec -> its word; `Relu` is the paper's spelling."""

KINDS: dict[type[Op], BoxKind] = {
    Input: "input",
    Conv2d: "conv",
    MaxPool2d: "pool",
    AvgPool2d: "pool",
    GlobalPool2d: "final_pool",
    AdaptiveAvgPool2d: "final_pool",
    Upsample: "pool",
    BatchNorm: "norm",
    Activation: "activation",
    Scale: "scale",
    Dropout: "dropout",
    Softmax: "softmax",
    Identity: "reshape",
    Normalize: "norm",
    Linear: "linear",
    Flatten: "reshape",
    Concat: "concat",
    Add: "add",
    Multiply: "add",
    Slice: "reshape",
}
"""What kind of box an operation stands in."""


@dataclass(frozen=True, slots=True)
class Convention:
    """What follows a convolution in most of a network: it goes without saying in a label."""

    norm: bool = True
    activation: str | None = "relu"


def convention(graph: Graph) -> Convention:
    """Return what follows most convolutions of a network; the paper's habit where there are none."""
    layers = [r.members for r in graph.regions.values() if r.kind == "layer"]
    inside = {name for members in layers for name in members}
    layers += [(name,) for name in graph.nodes if name not in inside]
    counts = Counter(
        _company([graph.nodes[m] for m in members])
        for members in layers
        if any(isinstance(graph.nodes[m].op, Conv2d) for m in members)
    )
    return max(counts, key=lambda c: counts[c]) if counts else Convention()


def _company(nodes: Sequence[Node]) -> Convention:
    function = next((n.op.function for n in nodes if isinstance(n.op, Activation)), None)
    return Convention(any(isinstance(n.op, BatchNorm) for n in nodes), function)


Shown = Callable[[str, object], str]
"""(attribute, its value) -> the text of it: the value, or the parameter that it was written as."""


def label_of(nodes: Sequence[Node], usual: Convention, by_name: bool) -> str:
    """Return the words for one layer: its first operation, and what is unusual around it.

    Args:
        nodes: the operations of the layer in execution order.
        usual: what follows a convolution without being said.
        by_name: show a parameter's name where an attribute was written as one (`k`, not `192`).
    """
    head = next((n for n in nodes if isinstance(n.op, Conv2d | Linear)), nodes[0])
    if head.info.label is not None:
        return head.info.label

    def shown(attribute: str, value: object) -> str:
        expr = head.exprs.get(attribute) if by_name else None
        if expr is not None and all("." not in n and n != "index" for n in expr.names):
            return "".join(expr.text.split())
        return _value(value)

    company = _company(nodes)
    words, details = words_of(head.op, shown)
    if isinstance(head.op, Conv2d):
        details += _around(head.op, company, usual)
    elif company.activation and head.op is not nodes[-1].op:
        details.append(FUNCTIONS[company.activation])
    return f"{words} ({' '.join(details)})" if details else words


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return f"{value[0]}x{value[1]}"
    return show_value(value) if isinstance(value, int | float) else str(value)


def _around(op: Conv2d, company: Convention, usual: Convention) -> list[str]:
    """Return what sets a convolution apart: `Linear` is the paper's word for no activation."""
    out = []
    if company.activation != usual.activation:
        if company.activation is None:
            out.append("Linear" if not company.norm else "no activation")
        else:
            out.append(FUNCTIONS[company.activation])
    elif company.norm != usual.norm:
        out.append("batch norm" if company.norm else "no norm")
    if op.bias == company.norm:
        out.append("bias" if op.bias else "no bias")
    return out


@singledispatch
def words_of(op: Op, shown: Shown) -> tuple[str, list[str]]:
    """Return the words of an operation and the details for the brackets behind them."""
    raise NotImplementedError(f"no words for the operation {op.kind}")


def _pair(pair: Pair) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"


def _stride(stride: Pair) -> list[str]:
    return [] if stride == (1, 1) else [f"stride {_pair(stride)}"]


def _padding(padding: Pads | str) -> list[str]:
    text = padding_text(padding)
    return {"same": [], "V": ["V"]}.get(text, [f"pad {text}"])


@words_of.register
def _(op: Conv2d, shown: Shown) -> tuple[str, list[str]]:
    details = [shown("out_channels", op.out_channels) if op.out_channels else "?"]
    details += _stride(op.stride)
    if op.dilation != (1, 1):
        details.append(f"dilation {_pair(op.dilation)}")
    if op.groups != 1:
        details.append(f"groups {shown('groups', op.groups)}")
    details += _padding(op.padding)
    return f"{shown('kernel_size', op.kernel_size)} Conv", details


@words_of.register
def _(op: MaxPool2d, shown: Shown) -> tuple[str, list[str]]:
    return f"{shown('kernel_size', op.kernel_size)} MaxPool", _pooling(op)


@words_of.register
def _(op: AvgPool2d, shown: Shown) -> tuple[str, list[str]]:
    counted = ["padding counted"] if op.count_include_pad and op.padding != ((0, 0), (0, 0)) else []
    return f"{shown('kernel_size', op.kernel_size)} AvgPool", _pooling(op) + counted


def _pooling(op: MaxPool2d | AvgPool2d) -> list[str]:
    return _stride(op.stride) + _padding(op.padding) + (["ceil"] if op.ceil else [])


@words_of.register
def _(op: GlobalPool2d, shown: Shown) -> tuple[str, list[str]]:
    words = "Average Pooling" if op.function == "avg" else "Max Pooling"
    return words, ["1x1"] if op.keep_grid else []


@words_of.register
def _(op: AdaptiveAvgPool2d, shown: Shown) -> tuple[str, list[str]]:
    return "Average Pooling", [f"to {_value(op.output_size)}"]


@words_of.register
def _(op: Upsample, shown: Shown) -> tuple[str, list[str]]:
    return "Upsample", [f"{shown('factor', op.factor)}x"]


@words_of.register
def _(op: BatchNorm, shown: Shown) -> tuple[str, list[str]]:
    return "Batch norm", [] if op.affine else ["no scale"]


@words_of.register
def _(op: Activation, shown: Shown) -> tuple[str, list[str]]:
    return f"{FUNCTIONS[op.function]} activation", []


@words_of.register
def _(op: Scale, shown: Shown) -> tuple[str, list[str]]:
    return "Scale", [shown("factor", op.factor)]


@words_of.register
def _(op: Dropout, shown: Shown) -> tuple[str, list[str]]:
    return "Dropout", [f"keep {_value(round(1 - op.drop, 12))}"]


@words_of.register
def _(op: Softmax, shown: Shown) -> tuple[str, list[str]]:
    return "Softmax", []


@words_of.register
def _(op: Identity, shown: Shown) -> tuple[str, list[str]]:
    return "Identity", []


@words_of.register
def _(op: Normalize, shown: Shown) -> tuple[str, list[str]]:
    return "L2 normalization", []


@words_of.register
def _(op: Linear, shown: Shown) -> tuple[str, list[str]]:
    width = shown("out_features", op.out_features) if op.out_features else "?"
    return "Fully connected", [width] + ([] if op.bias else ["no bias"])


@words_of.register
def _(op: Flatten, shown: Shown) -> tuple[str, list[str]]:
    return "Flatten", []


@words_of.register
def _(op: Concat, shown: Shown) -> tuple[str, list[str]]:
    return "Filter concat", []


@words_of.register
def _(op: Add, shown: Shown) -> tuple[str, list[str]]:
    return "+", []


@words_of.register
def _(op: Multiply, shown: Shown) -> tuple[str, list[str]]:
    return "\u00d7", []


@words_of.register
def _(op: Slice, shown: Shown) -> tuple[str, list[str]]:
    return "Channels", [f"{op.start} to {op.stop - 1}"]


@words_of.register
def _(op: Input, shown: Shown) -> tuple[str, list[str]]:
    return "Input", [Shape(op.dims).paper]
