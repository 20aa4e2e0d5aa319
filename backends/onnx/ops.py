"""Convolution, activations, joins and linear layers as ONNX nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import pi, sqrt

from backends.onnx.node_builder import INT64, NodeBuilder, TensorType, spell
from backends.onnx.open_padding import Padding, onnx_order, open_padding
from compiler.ops import (
    Activation,
    Add,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Linear,
    Maximum,
    Multiply,
    PReLU,
    Scale,
    Softmax,
    Standardize,
    Subtract,
)


@spell.register
def _(op: Conv2d, builder: NodeBuilder) -> None:
    padding = open_padding(op, builder, 0)
    if padding is None:
        padding = Padding(builder.input, onnx_order(op.pads(builder.shapes[0])))
    builder.emit(
        "Conv",
        padding.source,
        *builder.weights,
        kernel_shape=list(op.kernel_size),
        strides=list(op.stride),
        pads=padding.pads,
        auto_pad=padding.auto_pad,
        dilations=list(op.dilation),
        group=op.groups,
    )


@spell.register
def _(op: ConvTranspose2d, builder: NodeBuilder) -> None:
    builder.emit(
        "ConvTranspose",
        builder.input,
        *builder.weights,
        kernel_shape=list(op.kernel_size),
        strides=list(op.stride),
        pads=onnx_order(op.pads),
        output_padding=list(op.grown),
        dilations=list(op.dilation),
        group=op.groups,
    )


@spell.register
def _(op: Linear, builder: NodeBuilder) -> None:
    builder.emit("Gemm", builder.input, *builder.weights, transB=1)


@spell.register
def _(op: Flatten, builder: NodeBuilder) -> None:
    builder.emit("Flatten", builder.input, axis=1)


@spell.register
def _(op: Concat, builder: NodeBuilder) -> None:
    builder.emit("Concat", *builder.inputs, axis=1)


@spell.register
def _(op: Add, builder: NodeBuilder) -> None:
    builder.emit("Add" if len(builder.inputs) == 2 else "Sum", *builder.inputs)


@spell.register
def _(op: Multiply, builder: NodeBuilder) -> None:
    *early, last = builder.inputs
    if not early:
        builder.emit("Identity", last)
        return
    product = early[0]
    for i, factor in enumerate(early[1:], start=2):
        product = builder.emit("Mul", product, factor, part=f"product_{i}")
    builder.emit("Mul", product, last)


@spell.register
def _(op: Subtract, builder: NodeBuilder) -> None:
    builder.emit("Sub", *builder.inputs)


@spell.register
def _(op: Maximum, builder: NodeBuilder) -> None:
    builder.emit("Max", *builder.inputs)


@spell.register
def _(op: Scale, builder: NodeBuilder) -> None:
    builder.emit("Mul", builder.input, builder.constant("factor", op.factor))


@spell.register
def _(op: Standardize, builder: NodeBuilder) -> None:
    mean, deviation = (
        builder.constant(part, [[[value]] for value in values])
        for part, values in (("mean", op.mean), ("deviation", op.deviation))
    )
    builder.emit("Div", builder.emit("Sub", builder.input, mean, part="centred"), deviation)


@spell.register
def _(op: Softmax, builder: NodeBuilder) -> None:
    builder.emit("Softmax", builder.input, axis=1)


@spell.register
def _(op: Activation, builder: NodeBuilder) -> None:
    _ACTIVATIONS[op.function](builder, op)


@spell.register
def _(op: PReLU, builder: NodeBuilder) -> None:
    """ONNX spreads the slopes over the last axes: `(C, 1, 1)` for a map, `(C)` for a vector."""
    (slopes,) = builder.weights
    if len(builder.shapes[0]) == 3 and op.slopes == "channels":
        axes = builder.constant("axes", [1, 2], INT64)
        count = builder.shapes[0].channels
        made = TensorType(builder.dtype, (count if isinstance(count, int) else None, 1, 1))
        slopes = builder.emit("Unsqueeze", slopes, axes, part="slopes", made=made)
    builder.emit("PRelu", builder.input, slopes)


def _relu6(builder: NodeBuilder, op: Activation) -> None:
    builder.emit("Clip", builder.input, builder.constant("least", 0), builder.constant("most", 6))


def _silu(builder: NodeBuilder, op: Activation) -> None:
    builder.emit("Mul", builder.input, builder.emit("Sigmoid", builder.input, part="gate"))


def _mish(builder: NodeBuilder, op: Activation) -> None:
    """Spell `x * tanh(softplus(x))`, which is one operator from opset 18 on."""
    if builder.opset >= 18:
        builder.emit("Mish", builder.input)
        return
    softplus = builder.emit("Softplus", builder.input, part="softplus")
    builder.emit("Mul", builder.input, builder.emit("Tanh", softplus, part="gate"))


def _gelu(builder: NodeBuilder, op: Activation) -> None:
    """Spell `x * (1 + erf(x / sqrt(2))) / 2`, which is one operator from opset 20 on."""
    if builder.opset >= 20:
        builder.emit("Gelu", builder.input, approximate=str(op.constant))
        return
    if op.constant == "tanh":
        _gelu_of_tanh(builder)
        return
    scaled = builder.emit("Mul", builder.input, builder.constant("root", sqrt(0.5)), part="scaled")
    erf = builder.emit("Erf", scaled, part="erf")
    raised = builder.emit("Add", erf, builder.constant("one", 1), part="raised")
    half = builder.emit("Mul", builder.input, builder.constant("half", 0.5), part="halved")
    builder.emit("Mul", half, raised)


def _gelu_of_tanh(builder: NodeBuilder) -> None:
    """Spell `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2`."""

    def part(op_type: str, name: str, *inputs: str) -> str:
        return builder.emit(op_type, *inputs, part=name)

    x = builder.input
    cube = part("Mul", "cube", part("Mul", "square", x, x), x)
    bent = part("Mul", "bent", cube, builder.constant("factor", 0.044715))
    summed = part("Add", "sum", x, bent)
    scaled = part("Mul", "scaled", summed, builder.constant("root", sqrt(2 / pi)))
    raised = part("Add", "raised", part("Tanh", "tanh", scaled), builder.constant("one", 1))
    half = part("Mul", "halved", x, builder.constant("half", 0.5))
    builder.emit("Mul", half, raised)


_ACTIVATIONS: Mapping[str, Callable[[NodeBuilder, Activation], object]] = {
    "relu": lambda builder, op: builder.emit("Relu", builder.input),
    "relu6": _relu6,
    "leaky_relu": lambda builder, op: builder.emit(
        "LeakyRelu", builder.input, alpha=float(op.constant)
    ),
    "elu": lambda builder, op: builder.emit("Elu", builder.input, alpha=float(op.constant)),
    "gelu": _gelu,
    "silu": _silu,
    "sigmoid": lambda builder, op: builder.emit("Sigmoid", builder.input),
    "tanh": lambda builder, op: builder.emit("Tanh", builder.input),
    "softplus": lambda builder, op: builder.emit("Softplus", builder.input),
    "hard_sigmoid": lambda builder, op: builder.emit(
        "HardSigmoid", builder.input, alpha=1 / 6, beta=0.5
    ),
    "mish": _mish,
    "hard_swish": lambda builder, op: builder.emit("HardSwish", builder.input),
}
"""Word in a spec -> spelling, with the constants of the torch.nn class of that name."""
