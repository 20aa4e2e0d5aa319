"""Convolution, normalisation, activations, joins and linear layers as ONNX nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import sqrt

from backends.onnx.open_padding import Padding, onnx_order, open_padding
from backends.onnx.site import INT64, Site, Value, spell
from compiler.ops import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv2d,
    Flatten,
    Linear,
    Multiply,
    Normalize,
    Scale,
    Slice,
    Softmax,
    Standardize,
)

NORMALIZE_EPS = 1e-12
"""Least length that `Normalize` divides by, as in torch.nn.functional.normalize."""


@spell.register
def _(op: Conv2d, site: Site) -> None:
    padding = open_padding(op, site, 0)
    if padding is None:
        padding = Padding(site.input, onnx_order(op.pads(site.shapes[0])))
    site.emit(
        "Conv",
        padding.source,
        *site.weights,
        kernel_shape=list(op.kernel_size),
        strides=list(op.stride),
        pads=padding.pads,
        auto_pad=padding.auto_pad,
        dilations=list(op.dilation),
        group=op.groups,
    )


@spell.register
def _(op: BatchNorm, site: Site) -> None:
    *learned, mean, variance = site.weights
    given = dict(zip(op.learned, learned, strict=True))
    if len(given) < 2:
        given = _units(site, mean) | given
    site.emit(
        "BatchNormalization",
        site.input,
        given["weight"],
        given["bias"],
        mean,
        variance,
        epsilon=op.eps,
    )


def _units(site: Site, mean: str) -> dict[str, str]:
    """Return a scale of ones and a shift of zeros, as long as the running mean."""
    length = site.emit("Shape", mean, part="length", made=Value(INT64, (1,)))
    channels = site.shapes[0].channels
    vector = Value(site.dtype, (channels if isinstance(channels, int) else None,))
    fill = partial(site.emit, "ConstantOfShape", length, made=vector)
    return {
        "weight": fill(part="weight", value=site.tensor([1])),
        "bias": fill(part="bias", value=site.tensor([0])),
    }


@spell.register
def _(op: Linear, site: Site) -> None:
    site.emit("Gemm", site.input, *site.weights, transB=1)


@spell.register
def _(op: Flatten, site: Site) -> None:
    site.emit("Flatten", site.input, axis=1)


@spell.register
def _(op: Concat, site: Site) -> None:
    site.emit("Concat", *site.inputs, axis=1)


@spell.register
def _(op: Add, site: Site) -> None:
    site.emit("Add" if len(site.inputs) == 2 else "Sum", *site.inputs)


@spell.register
def _(op: Multiply, site: Site) -> None:
    *early, last = site.inputs
    if not early:
        site.emit("Identity", last)
        return
    product = early[0]
    for i, factor in enumerate(early[1:], start=2):
        product = site.emit("Mul", product, factor, part=f"product_{i}")
    site.emit("Mul", product, last)


@spell.register
def _(op: Slice, site: Site) -> None:
    bounds = [
        site.constant(part, [number], INT64)
        for part, number in (("start", op.start), ("stop", op.stop), ("axis", 1))
    ]
    site.emit("Slice", site.input, *bounds)


@spell.register
def _(op: Scale, site: Site) -> None:
    site.emit("Mul", site.input, site.constant("factor", op.factor))


@spell.register
def _(op: Standardize, site: Site) -> None:
    mean, deviation = (
        site.constant(part, [[[value]] for value in values])
        for part, values in (("mean", op.mean), ("deviation", op.deviation))
    )
    site.emit("Div", site.emit("Sub", site.input, mean, part="centred"), deviation)


@spell.register
def _(op: Softmax, site: Site) -> None:
    site.emit("Softmax", site.input, axis=1)


@spell.register
def _(op: Normalize, site: Site) -> None:
    column = site.map(1)
    if site.opset >= 18:
        axes = site.constant("axis", [1], INT64)
        length = site.emit("ReduceL2", site.input, axes, part="length", made=column, keepdims=1)
    else:
        length = site.emit("ReduceL2", site.input, part="length", made=column, axes=[1], keepdims=1)
    least = site.constant("least", NORMALIZE_EPS)
    divisor = site.emit("Max", length, least, part="divisor", made=column)
    site.emit("Div", site.input, divisor)


@spell.register
def _(op: Activation, site: Site) -> None:
    _ACTIVATIONS[op.function](site)


def _relu6(site: Site) -> None:
    site.emit("Clip", site.input, site.constant("least", 0), site.constant("most", 6))


def _silu(site: Site) -> None:
    site.emit("Mul", site.input, site.emit("Sigmoid", site.input, part="gate"))


def _gelu(site: Site) -> None:
    """Spell `x * (1 + erf(x / sqrt(2))) / 2`, which is one operator from opset 20 on."""
    if site.opset >= 20:
        site.emit("Gelu", site.input, approximate="none")
        return
    scaled = site.emit("Mul", site.input, site.constant("root", sqrt(0.5)), part="scaled")
    erf = site.emit("Erf", scaled, part="erf")
    raised = site.emit("Add", erf, site.constant("one", 1), part="raised")
    half = site.emit("Mul", site.input, site.constant("half", 0.5), part="halved")
    site.emit("Mul", half, raised)


_ACTIVATIONS: Mapping[str, Callable[[Site], object]] = {
    "relu": lambda site: site.emit("Relu", site.input),
    "relu6": _relu6,
    "leaky_relu": lambda site: site.emit("LeakyRelu", site.input, alpha=0.01),
    "elu": lambda site: site.emit("Elu", site.input, alpha=1.0),
    "gelu": _gelu,
    "silu": _silu,
    "sigmoid": lambda site: site.emit("Sigmoid", site.input),
    "tanh": lambda site: site.emit("Tanh", site.input),
    "softplus": lambda site: site.emit("Softplus", site.input),
    "hard_sigmoid": lambda site: site.emit("HardSigmoid", site.input, alpha=1 / 6, beta=0.5),
    "hard_swish": lambda site: site.emit("HardSwish", site.input),
}
"""Word in a spec -> spelling, with the constants of the torch.nn class of that name."""
