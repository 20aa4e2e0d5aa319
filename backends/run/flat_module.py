"""A graph as one flat torch.fx module: what eager, torch.compile and converters run."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from backends.state.parameters import State
from backends.torch.operation import build_operation
from compiler.graph import Graph, Node, Pads, Shape
from compiler.ops import (
    ARGUMENTS,
    Activation,
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    GlobalPool2d,
    Identity,
    Linear,
    MaxPool2d,
    Multiply,
    PReLU,
    Scale,
    Slice,
    Softmax,
)

_ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "relu": torch.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "hard_sigmoid": F.hardsigmoid,
    "hard_swish": F.hardswish,
    "mish": F.mish,
}


def build_flat_module(graph: Graph, state: State) -> fx.GraphModule:
    """Return the inference module of a graph, one call after the other, tensors freed early.

    Takes the graph's inputs in order, each (N, C, H, W), and returns its only output, or a
    tuple of them. Parameters are buffers named as in `state`, with middle dots.
    """
    root = nn.Module()
    trace = fx.Graph()
    builder = _Builder(graph, root, trace)
    for name, value in state.items():
        root.register_buffer(_attribute(name), value.detach())
    for node in graph.nodes.values():
        builder.add(node)
    # An auxiliary head has no place in inference; what only feeds it is never called.
    lasting = (output.node for output in graph.outputs if not output.training_only)
    results = tuple(builder.values[node] for node in lasting)
    trace.output(results if len(results) > 1 else results[0])
    return fx.GraphModule(root, trace).eval()


def _attribute(name: str) -> str:
    """Return a name without dots; no name of a spec has the middle dot, so that none meet."""
    return name.replace(".", "\N{MIDDLE DOT}")


class _Builder:
    def __init__(self, graph: Graph, root: nn.Module, trace: fx.Graph) -> None:
        self.graph = graph
        self.root = root
        self.trace = trace
        self.values: dict[str, fx.Node] = {}

    def add(self, node: Node) -> None:
        if node.name in self.graph.inputs:
            self.values[node.name] = self.trace.placeholder(f"in_{node.name}")
            return
        operands = [self.values[name] for name in node.inputs]
        self.values[node.name] = self.emit(node, operands)

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> fx.Node:
        return self.trace.call_function(function, args, kwargs)

    def parameters(self, node: Node) -> dict[str, fx.Node]:
        owner = node.share or node.name
        return {
            part: self.trace.get_attr(_attribute(f"{owner}.{part}"))
            for part in node.op.parameter_names
        }

    def emit(self, node: Node, x: list[fx.Node]) -> fx.Node:
        shape = self.graph.input_shapes(node)[0]
        match node.op:
            case Conv2d():
                return self.conv(node, node.op, x[0], shape)
            case MaxPool2d() | AvgPool2d():
                return self.pool(node, node.op, x[0], shape)
            case Linear():
                return self.call(F.linear, x[0], *self.parameters(node).values())
            case BatchNorm():
                p = self.parameters(node)
                mean, var = p["running_mean"], p["running_var"]
                weight, bias = p.get("weight"), p.get("bias")
                args = (mean, var, weight, bias, False, 0.0, node.op.eps)
                return self.call(F.batch_norm, x[0], *args)
            case Concat():
                return self.call(torch.cat, x, 1)
            case Slice(start, stop):
                return self.call(torch.narrow, x[0], 1, start, stop - start)
            case Add() | Multiply():
                return self.join(node.op, x)
        return self.elementwise(node, x)

    def conv(self, node: Node, op: Conv2d, x: fx.Node, shape: Shape) -> fx.Node:
        x, padding = self.pad(x, op.pads(shape), 0.0)
        p = self.parameters(node)
        args = (p["weight"], p.get("bias"), op.stride, padding, op.dilation, op.groups)
        return self.call(F.conv2d, x, *args)

    def pad(self, x: fx.Node, pads: Pads, fill: float) -> tuple[fx.Node, tuple[int, int]]:
        (top, bottom), (left, right) = pads
        # PyTorch pads evenly only; an uneven padding is an operation of its own.
        if top == bottom and left == right:
            return x, (top, left)
        return self.call(F.pad, x, (left, right, top, bottom), "constant", fill), (0, 0)

    def pool(self, node: Node, op: MaxPool2d | AvgPool2d, x: fx.Node, shape: Shape) -> fx.Node:
        pads = op.pads(shape)
        (top, bottom), (left, right) = pads
        if (top, left) == (bottom, right):
            args = (op.kernel_size, op.stride, (top, left))
            if isinstance(op, MaxPool2d):
                return self.call(F.max_pool2d, x, *args, 1, op.ceil)
            return self.call(F.avg_pool2d, x, *args, op.ceil, op.count_include_pad)
        ends = _moved_ends(op, pads, shape, node.shape)
        if isinstance(op, MaxPool2d):
            # -inf is the neutral element of a maximum; zeros would win over negative values.
            x, padding = self.pad(x, ends, -torch.inf)
            return self.call(F.max_pool2d, x, op.kernel_size, op.stride, padding)
        counted = pads if op.count_include_pad else ((0, 0), (0, 0))
        return self.call(_mean_of_counted, x, op.kernel_size, op.stride, ends, counted)

    def join(self, op: Add | Multiply, x: list[fx.Node]) -> fx.Node:
        function = operator.add if isinstance(op, Add) else operator.mul
        out = x[0]
        for operand in x[1:]:
            out = self.call(function, out, operand)
        return out

    def elementwise(self, node: Node, operands: list[fx.Node]) -> fx.Node:
        x = operands[0]
        match node.op:
            case Activation(function, argument):
                named = {} if argument is None else {ARGUMENTS[function][0]: argument}
                return self.call(_ACTIVATIONS[function], x, **named)
            case PReLU():
                return self.call(F.prelu, x, *self.parameters(node).values())
            case Scale(factor):
                return self.call(operator.mul, x, factor)
            case Identity() | Dropout():
                return x
            case Softmax():
                return self.call(torch.softmax, x, 1)
            case Flatten():
                return self.call(torch.flatten, x, 1)
            case GlobalPool2d(function, keep_grid):
                reduce = torch.mean if function == "avg" else torch.amax
                return self.call(reduce, x, (2, 3), keep_grid)
        return self.as_module(node, operands)

    def as_module(self, node: Node, operands: list[fx.Node]) -> fx.Node:
        """Call what the torch backend emits for an operation that has no short form here."""
        owner = node.share or node.name
        state = {
            part: self.root.get_buffer(_attribute(f"{owner}.{part}"))
            for part in node.op.parameter_names
        }
        module = build_operation(node.op, self.graph.input_shapes(node), state)
        self.root.add_module(_attribute(node.name), module)
        return self.trace.call_module(_attribute(node.name), tuple(operands))


def _moved_ends(op: MaxPool2d | AvgPool2d, pads: Pads, shape: Shape, made: Shape) -> Pads:
    """Return a padding with its ends moved so that a flooring pool gives the size that is made.

    PyTorch drops a window that would start in the padding only where it pads itself, evenly.
    """
    (top, bottom), (left, right) = (
        (before, (count - 1) * stride + kernel - size - before) if op.ceil else (before, after)
        for size, count, kernel, stride, (before, after) in zip(
            _whole(shape), _whole(made), op.kernel_size, op.stride, pads, strict=True
        )
    )
    return (top, bottom), (left, right)


def _whole(shape: Shape) -> tuple[int, int]:
    height, width = shape.grid
    assert isinstance(height, int)
    assert isinstance(width, int)
    return height, width


def _mean_of_counted(x: Tensor, kernel: Any, stride: Any, pads: Pads, counted: Pads) -> Tensor:
    """Average pooling whose mean counts a part of the padding: (N, C, H, W) -> (N, C, H', W')."""
    (top, bottom), (left, right) = pads
    (above, below), (before, after) = counted
    # The share of each window that counts is the mean of ones, over the same windows.
    share = F.pad(torch.ones_like(x[:1, :1]), (before, after, above, below), value=1.0)
    rest = (left - before, right - after, top - above, bottom - below)
    total = F.avg_pool2d(F.pad(x, (left, right, top, bottom)), kernel, stride)
    return total / F.avg_pool2d(F.pad(share, rest), kernel, stride)
