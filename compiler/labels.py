"""The words in a box: what the paper prints for a layer, a block, a repeat."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from compiler.expr import show_value
from compiler.graph import Graph, Node, Region
from compiler.ops import (
    ACTIVATIONS,
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
from compiler.shapes import Pair, show

NONE: Collection[str] = ()


def label_of(graph: Graph, name: str, params: Collection[str] = NONE) -> str:
    """Return the words in a box: `3x3 Conv (96 stride 2 V)`, `4 x Inception-A`.

    Args:
        graph: where it stands.
        name: a node, or a region of any kind.
        params: parameters to show by name, not by value: those of the block whose definition
            is drawn (Figure 7: `1x1 Conv (k)`).
    """
    label = graph.info_of(name).label
    return automatic_label(graph, name, params) if label is None else label


def automatic_label(graph: Graph, name: str, params: Collection[str] = NONE) -> str:
    """Return the words that the computation itself has, whatever the spec's `label` says."""
    if name in graph.nodes:
        return op_label(graph.nodes[name], params, is_linear=True)
    region = graph.regions[name]
    if region.kind == "repeat":
        return _repeat_label(graph, region, params)
    if region.kind == "layer":
        return _layer_label(graph, region, params)
    return _title(graph, region)


def _title(graph: Graph, region: Region) -> str:
    if region.info.title is not None:
        return region.info.title
    if region.kind == "network":
        return graph.title
    return graph.definitions[region.definition].title if region.definition else region.local_name


def _repeat_label(graph: Graph, region: Region, params: Collection[str]) -> str:
    """Return `4 x Inception-A`; a repeat of one is no repeat, one of none is empty."""
    if not region.members:
        return "0 x " + region.local_name
    inner = region.info.title or label_of(graph, region.members[0], params)
    count = len(region.members)
    return inner if count == 1 else f"{count} x {inner}"


def _layer_label(graph: Graph, region: Region, params: Collection[str]) -> str:
    """Return the words for a layer of several operations; its own is the first."""
    nodes = [graph.nodes[m] for m in region.members]
    functions = [n.op.function for n in nodes if isinstance(n.op, Activation)]
    return op_label(
        nodes[0], params, is_linear=not functions, function=functions[0] if functions else "relu"
    )


def op_label(
    node: Node, params: Collection[str] = NONE, is_linear: bool = False, function: str = "relu"
) -> str:
    """Return the words for one operation.

    Args:
        node: the operation.
        params: parameters to show by name.
        is_linear: no activation follows it in its layer (section 3.2's "Linear").
        function: the activation that follows; any but ReLU is named.
    """
    op = node.op
    if isinstance(op, Conv2d):
        filters = _written(node, "out_channels", show(op.out_channels or None), params)
        last = "Linear" if is_linear else ACTIVATIONS[function] if function != "relu" else ""
        words = " ".join(w for w in (filters, *_window(op), last) if w)
        return f"{_pair(op.kernel_size)} Conv ({words})"
    if isinstance(op, Linear):
        width = _written(node, "out_features", show(op.out_features or None), params)
        return f"Fully connected ({width})"
    if isinstance(op, Scale):
        return f"Activation Scaling ({_written(node, 'factor', f'{op.factor:g}', params)})"
    if isinstance(op, Input):
        return f"Input ({node.shape.paper})"
    return LABELS[type(op)](op)


def _window(op: Conv2d | MaxPool2d | AvgPool2d) -> Iterator[str]:
    """Yield what differs from stride 1 and SAME: `stride 2`, `V`."""
    if op.stride != (1, 1):
        yield f"stride {_square(op.stride)}"
    if isinstance(op, Conv2d):
        if op.dilation != (1, 1):
            yield f"dilation {_square(op.dilation)}"
        if op.groups != 1:
            yield "depthwise" if op.groups == op.out_channels else f"groups {op.groups}"
    padding = padding_text(op.padding)
    if padding != "same":
        yield padding if padding == "V" else f"pad {padding}"
    if not isinstance(op, Conv2d) and op.ceil:
        yield "ceil"


def _pool(word: str) -> Callable[[Any], str]:
    def label(op: MaxPool2d | AvgPool2d) -> str:
        words = " ".join(_window(op))
        return f"{_pair(op.kernel_size)} {word}" + (f" ({words})" if words else "")

    return label


def _pair(pair: Pair) -> str:
    return f"{pair[0]}x{pair[1]}"


def _square(pair: Pair) -> str:
    return str(pair[0]) if pair[0] == pair[1] else _pair(pair)


def _written(node: Node, attribute: str, value: str, params: Collection[str]) -> str:
    """Return the expression where it reads nothing but the parameters to be shown by name."""
    expr = node.exprs.get(attribute)
    return (
        expr.text if expr is not None and expr.names and set(expr.names) <= set(params) else value
    )


def _activation(op: Activation) -> str:
    return "Relu activation" if op.function == "relu" else f"{ACTIVATIONS[op.function]} activation"


LABELS: dict[type[Op], Callable[[Any], str]] = {
    MaxPool2d: _pool("MaxPool"),
    AvgPool2d: _pool("AvgPool"),
    GlobalPool2d: lambda op: "Average Pooling" if op.function == "avg" else "Max Pooling",
    AdaptiveAvgPool2d: lambda op: f"Average Pooling (to {_pair(op.output_size)})",
    Upsample: lambda op: f"Upsampling (x {op.factor})",
    BatchNorm: lambda op: "Batch norm",
    Activation: _activation,
    Dropout: lambda op: f"Dropout (keep {round(1 - op.drop, 12):g})",
    Softmax: lambda op: "Softmax",
    Identity: lambda op: "Identity",
    Normalize: lambda op: "L2 normalisation",
    Flatten: lambda op: "Flatten",
    Concat: lambda op: "Filter concat",
    Add: lambda op: "+",
    Multiply: lambda op: "x",
    Slice: lambda op: f"Channels {op.start} to {op.stop - 1}",
}
"""Op -> its words; what needs more than the op itself is in `op_label`."""


def argument_words(region: Region) -> str:
    """Return the arguments of a block's instance: `k = 192, l = 224`."""
    return ", ".join(f"{name} = {show_value(value)}" for name, value in region.arguments.items())


def is_drawn(graph: Graph, name: str) -> bool:
    """True for a node or region that has a box of its own.

    `drawn: false` says so in a spec, and the scaling that `residual` adds is never drawn: no
    figure but 20 shows one (erratum E19), and that one writes it as a layer of its body.
    """
    if not graph.info_of(name).drawn:
        return False
    node = graph.nodes.get(name)
    return node is None or not isinstance(node.op, Scale) or not _is_residual_scale(graph, name)


def _is_residual_scale(graph: Graph, name: str) -> bool:
    region = graph.regions.get(graph.parents[name])
    return region is not None and region.kind == "residual"
