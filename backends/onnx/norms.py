"""Normalisation and learned factors as ONNX nodes."""

from __future__ import annotations

from functools import partial

from backends.onnx.node_builder import INT64, NodeBuilder, TensorType, spell
from compiler.ops import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LayerScale,
    LocalResponseNorm,
    Normalize,
)
from compiler.ops.norm import Norm

NORMALIZE_EPS = 1e-12
"""Least length that `Normalize` divides by, as in torch.nn.functional.normalize."""


@spell.register
def _(op: BatchNorm, builder: NodeBuilder) -> None:
    *learned, mean, variance = builder.weights
    given = dict(zip(op.learned, learned, strict=True))
    if len(given) < 2:
        given = _units(builder, mean) | given
    builder.emit(
        "BatchNormalization",
        builder.input,
        given["weight"],
        given["bias"],
        mean,
        variance,
        epsilon=op.eps,
    )


def _units(builder: NodeBuilder, mean: str) -> dict[str, str]:
    """Return a scale of ones and a shift of zeros, as long as the running mean."""
    length = builder.emit("Shape", mean, part="length", made=TensorType(INT64, (1,)))
    channels = builder.shapes[0].channels
    vector = TensorType(builder.dtype, (channels if isinstance(channels, int) else None,))
    fill = partial(builder.emit, "ConstantOfShape", length, made=vector)
    return {
        "weight": fill(part="weight", value=builder.tensor([1])),
        "bias": fill(part="bias", value=builder.tensor([0])),
    }


@spell.register
def _(op: LayerNorm, builder: NodeBuilder) -> None:
    shape = builder.shapes[0]
    if not op.scale:  # the operator wants one
        _in_parts(op, builder, [1], builder.map(1, *shape.grid))
        return
    normalize = partial(builder.emit, "LayerNormalization", axis=-1, epsilon=op.eps)
    if len(shape) == 1:
        normalize(builder.input, *builder.weights)
        return
    last = builder.map(*shape.grid, shape.channels)
    turned = builder.emit("Transpose", builder.input, part="last", made=last, perm=[0, 2, 3, 1])
    made = normalize(turned, *builder.weights, part="normal", made=last)
    builder.emit("Transpose", made, perm=[0, 3, 1, 2])


@spell.register
def _(op: GroupNorm, builder: NodeBuilder) -> None:
    """Spell it in parts: the scale of `GroupNormalization` is another one before opset 21."""
    size = builder.constant("groups", [0, op.groups, -1], INT64)
    rows = builder.map(op.groups, None)
    source = builder.emit("Reshape", builder.input, size, part="rows", made=rows)
    _in_parts(op, builder, [2], builder.map(op.groups, 1), source, rows)


@spell.register
def _(op: InstanceNorm, builder: NodeBuilder) -> None:
    """Spell it in parts: ONNX Runtime's `InstanceNormalization` takes float32 alone (1.32)."""
    _in_parts(op, builder, [2, 3], builder.map(builder.shapes[0].channels, 1, 1))


@spell.register
def _(op: LocalResponseNorm, builder: NodeBuilder) -> None:
    if op.size % 2 == 0:
        raise builder.refusal(
            f"ONNX has one channel more behind than before in a local response norm of {op.size} "
            "channels, torch before than behind; choose an odd number"
        )
    builder.emit("LRN", builder.input, size=op.size, alpha=op.alpha, beta=op.beta, bias=op.k)


@spell.register
def _(op: LayerScale, builder: NodeBuilder) -> None:
    builder.emit("Mul", builder.input, _spread(builder.weights[0], "weight", builder))


def _in_parts(
    op: Norm,
    builder: NodeBuilder,
    axes: list[int],
    means: TensorType,
    source: str = "",
    rows: TensorType | None = None,
) -> None:
    """Spell `(x - mean) / sqrt(variance + eps)`, and the scale and the shift that follow.

    Args:
        op: the norm.
        builder: where it is spelled.
        axes: what the mean is taken over.
        means: the type of the mean.
        source: what is normalised, in rows; the operand, as it is, by default.
        rows: its type.
    """
    emit = builder.emit
    centred = emit(
        "Sub",
        source or builder.input,
        builder.mean(source or builder.input, axes, "mean", means),
        part="centred",
        made=rows,
    )
    squares = emit("Mul", centred, centred, part="squares", made=rows)
    variance = builder.mean(squares, axes, "variance", means)
    raised = emit("Add", variance, builder.constant("eps", op.eps), part="raised", made=means)
    steps = [("Div", emit("Sqrt", raised, part="deviation", made=means))]
    if rows is not None:
        rank = TensorType(INT64, (len(builder.shapes[0]) + 1,))
        steps.append(("Reshape", emit("Shape", builder.input, part="size", made=rank)))
    for word, weight in zip(op.learned, builder.weights, strict=True):
        steps.append(("Mul" if word == "weight" else "Add", _spread(weight, word, builder)))
    made = centred
    for i, (op_type, other) in enumerate(steps, start=1):
        part = op_type.lower() if i < len(steps) else ""
        made = emit(op_type, made, other, part=part, made=rows if i == 1 and part else None)


def _spread(weight: str, part: str, builder: NodeBuilder) -> str:
    """Return a number for each channel in the shape that it has beside a map."""
    if len(builder.shapes[0]) == 1:
        return weight
    channels = builder.shapes[0].numbers[0] if builder.shapes[0].is_known else None
    axes = builder.constant(f"{part}_axes", [1, 2], INT64)
    made = TensorType(builder.dtype, (channels, 1, 1))
    return builder.emit("Unsqueeze", weight, axes, part=f"{part}_spread", made=made)


@spell.register
def _(op: Normalize, builder: NodeBuilder) -> None:
    column = builder.map(1)
    if builder.opset >= 18:
        axes = builder.constant("axis", [1], INT64)
        length = builder.emit(
            "ReduceL2", builder.input, axes, part="length", made=column, keepdims=1
        )
    else:
        length = builder.emit(
            "ReduceL2", builder.input, part="length", made=column, axes=[1], keepdims=1
        )
    least = builder.constant("least", NORMALIZE_EPS)
    divisor = builder.emit("Max", length, least, part="divisor", made=column)
    builder.emit("Div", builder.input, divisor)
