"""Every operation in NumPy float64, straight from its definition: slow, plain, independent.

Nothing here calls a framework or the compiler's window arithmetic: padding, output sizes and
windows are worked out anew, so an error there shows as a difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import singledispatch
from typing import Any

import numpy as np
import numpy.typing as npt

from compiler.graph import Graph, Node
from compiler.ops import (
    Activation,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm,
    ChannelPool,
    ChannelShuffle,
    Chunk,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Crop,
    Dropout,
    Flatten,
    GlobalPool2d,
    GroupNorm,
    Identity,
    InstanceNorm,
    LayerNorm,
    LayerScale,
    Linear,
    LocalResponseNorm,
    Maximum,
    MaxPool2d,
    Multiply,
    Normalize,
    Op,
    Pad,
    PixelShuffle,
    PixelUnshuffle,
    PReLU,
    Scale,
    Slice,
    Softmax,
    Standardize,
    Subtract,
    Upsample,
)

Array = npt.NDArray[np.float64]
Weights = Mapping[str, Array]
"""State of one node by its last name: weight, bias, running_mean, running_var."""


def evaluate(
    graph: Graph,
    state: Mapping[str, npt.ArrayLike],
    inputs: Mapping[str, npt.ArrayLike],
    *,
    training: bool = False,
) -> dict[str, Array]:
    """Return the tensor of every node, (N, ...) in float64, by node name.

    While `training`, batch normalisation takes the statistics of the batch; dropout, which is
    random, stays off.
    """
    values: dict[str, Array] = {}
    for node in graph.nodes.values():
        if node.name in graph.inputs:
            values[node.name] = np.asarray(inputs[node.name], np.float64)
        else:
            operands = [values[name] for name in node.inputs]
            weights = _weights(node, state)
            if training and isinstance(node.op, BatchNorm):
                weights = {**weights, **batch_statistics(operands[0])}
            values[node.name] = apply(node.op, operands, weights)
    return values


def batch_statistics(x: Array) -> Weights:
    """Return mean and (biased) variance over everything but channels, as running statistics."""
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    return {"running_mean": x.mean(axis=axes), "running_var": x.var(axis=axes)}


def _weights(node: Node, state: Mapping[str, npt.ArrayLike]) -> Weights:
    owner = node.share or node.name
    return {
        key.removeprefix(f"{owner}."): np.asarray(value, np.float64)
        for key, value in state.items()
        if key.rpartition(".")[0] == owner
    }


@singledispatch
def apply(op: Op, operands: list[Array], weights: Weights) -> Array:
    """Return the output of one operation at inference."""
    raise NotImplementedError(op.kind)


class Axis:
    """The windows of a sliding operation along one axis, with padding as it is worked out."""

    def __init__(
        self,
        size: int,
        kernel: int,
        stride: int,
        padding: tuple[int, int] | str,
        dilation: int = 1,
        ceil: bool = False,
    ) -> None:
        self.size, self.kernel, self.stride, self.dilation = size, kernel, stride, dilation
        reach = dilation * (kernel - 1) + 1
        if isinstance(padding, str):
            self.count = math.ceil(size / stride)
            total = max(0, (self.count - 1) * stride + reach - size)
            self.before, self.after = total // 2, total - total // 2
        else:
            self.before, self.after = padding
            steps = (size + self.before + self.after - reach) / stride
            self.count = (math.ceil(steps) if ceil else math.floor(steps)) + 1
            if ceil and (self.count - 1) * stride >= size + self.before:
                self.count -= 1

    def window(self, i: int) -> list[int]:
        """Return the positions that window `i` looks at; below 0 and from `size` on is padding."""
        start = i * self.stride - self.before
        return [start + j * self.dilation for j in range(self.kernel)]

    def positions(self, j: int) -> list[int]:
        """Return what kernel element `j` looks at, for every window."""
        return [self.window(i)[j] for i in range(self.count)]

    def inside(self, i: int) -> list[int]:
        """Return the positions of window `i` that lie on the map."""
        return [p for p in self.window(i) if 0 <= p < self.size]

    def padded_length(self, i: int) -> int:
        """Return how many positions of window `i` lie on the map or its declared padding."""
        return sum(-self.before <= p < self.size + self.after for p in self.window(i))


def _axes(op: Conv2d | MaxPool2d | AvgPool2d, x: Array) -> tuple[Axis, Axis]:
    dilation = op.dilation if isinstance(op, Conv2d) else (1, 1)
    ceil = False if isinstance(op, Conv2d) else op.ceil
    height, width = (
        Axis(
            x.shape[2 + i],
            op.kernel_size[i],
            op.stride[i],
            op.padding if isinstance(op.padding, str) else op.padding[i],
            dilation[i],
            ceil,
        )
        for i in (0, 1)
    )
    return height, width


def _positions(rows: Axis, columns: Axis) -> Iterator[tuple[int, int]]:
    for i in range(rows.count):
        for j in range(columns.count):
            yield i, j


@apply.register
def _(op: Conv2d, operands: list[Array], weights: Weights) -> Array:
    x, weight = operands[0], weights["weight"]
    rows, columns = _axes(op, x)
    out = np.zeros((len(x), op.out_channels, rows.count, columns.count))
    inputs, filters = x.shape[1] // op.groups, op.out_channels // op.groups
    for group in range(op.groups):
        read = slice(group * inputs, (group + 1) * inputs)
        made = slice(group * filters, (group + 1) * filters)
        for a in range(rows.kernel):
            for b in range(columns.kernel):
                seen = _seen(x[:, read], rows.positions(a), columns.positions(b))
                out[:, made] += np.einsum(
                    "fc,nchw->nfhw", weight[made, :, a, b], seen, optimize=True
                )
    if op.bias:
        out += weights["bias"][:, None, None]
    return out


def _seen(x: Array, rows: list[int], columns: list[int]) -> Array:
    """Return the elements at the given rows and columns, zeros where they are off the map."""
    on_map = np.outer(_on(rows, x.shape[2]), _on(columns, x.shape[3]))
    inside = x[:, :, np.clip(rows, 0, x.shape[2] - 1)][:, :, :, np.clip(columns, 0, x.shape[3] - 1)]
    return np.asarray(inside * on_map)


def _on(positions: list[int], size: int) -> list[bool]:
    return [0 <= p < size for p in positions]


@apply.register
def _(op: ConvTranspose2d, operands: list[Array], weights: Weights) -> Array:
    """Add every pixel's kernel to a canvas, then cut: `same` leaves stride times the size."""
    x, weight = operands[0], weights["weight"]
    grid, s, d, k = x.shape[2:], op.stride, op.dilation, op.kernel_size
    whole = [(n - 1) * s[a] + d[a] * (k[a] - 1) + 1 for a, n in enumerate(grid)]
    inside, outside = x.shape[1] // op.groups, op.out_channels // op.groups
    room = [whole[a] + max(s[a], op.output_padding[a]) for a in (0, 1)]
    canvas = np.zeros((len(x), op.out_channels, *room))
    for i, j, u, v in np.ndindex(*grid, *k):
        for group in range(op.groups):
            source = slice(group * inside, (group + 1) * inside)
            target = slice(group * outside, (group + 1) * outside)
            made = x[:, source, i, j] @ weight[source, :, u, v]
            canvas[:, target, i * s[0] + u * d[0], j * s[1] + v * d[1]] += made
    spans = []
    for a in (0, 1):
        if op.padding == "same":
            before = max(0, whole[a] - grid[a] * s[a]) // 2
            spans.append(slice(before, before + grid[a] * s[a]))
        else:
            before, after = op.padding[a]
            spans.append(slice(before, whole[a] + op.output_padding[a] - after))
    out = canvas[:, :, spans[0], spans[1]]
    return out + weights["bias"][:, None, None] if op.bias else out


@apply.register
def _(op: MaxPool2d, operands: list[Array], weights: Weights) -> Array:
    return _pool(op, operands[0], lambda window, counted: window.max(axis=(2, 3)))


@apply.register
def _(op: AvgPool2d, operands: list[Array], weights: Weights) -> Array:
    def mean(window: Array, counted: int) -> Array:
        over = counted if op.count_include_pad else window.shape[2] * window.shape[3]
        return np.asarray(window.sum(axis=(2, 3)) / over)

    return _pool(op, operands[0], mean)


def _pool(op: MaxPool2d | AvgPool2d, x: Array, reduce: Callable[[Array, int], Array]) -> Array:
    rows, columns = _axes(op, x)
    out = np.empty((*x.shape[:2], rows.count, columns.count))
    for i, j in _positions(rows, columns):
        window = x[:, :, rows.inside(i)][:, :, :, columns.inside(j)]
        out[:, :, i, j] = reduce(window, rows.padded_length(i) * columns.padded_length(j))
    return out


@apply.register
def _(op: GlobalPool2d, operands: list[Array], weights: Weights) -> Array:
    x, keep = operands[0], op.keep_grid
    if op.function == "avg":
        return np.asarray(x.mean(axis=(2, 3), keepdims=keep))
    return np.asarray(x.max(axis=(2, 3), keepdims=keep))


@apply.register
def _(op: AdaptiveAvgPool2d, operands: list[Array], weights: Weights) -> Array:
    x, (rows, columns) = operands[0], op.output_size
    out = np.empty((*x.shape[:2], rows, columns))
    for i in range(rows):
        for j in range(columns):
            cell = x[:, :, _cell(i, rows, x.shape[2]), _cell(j, columns, x.shape[3])]
            out[:, :, i, j] = cell.mean(axis=(2, 3))
    return out


def _cell(i: int, cells: int, size: int) -> slice:
    return slice(math.floor(i * size / cells), math.ceil((i + 1) * size / cells))


@apply.register
def _(op: Upsample, operands: list[Array], weights: Weights) -> Array:
    x = operands[0]
    target = op.size or operands[-1].shape[2:]
    if op.factor is not None:
        target = (x.shape[2] * op.factor, x.shape[3] * op.factor)
    for axis, made in enumerate(target, start=2):
        size = x.shape[axis]
        if op.mode == "nearest":
            x = x.take([i * size // made for i in range(made)], axis)
            continue
        places = [_place(i, size, made, op.align_corners) for i in range(made)]
        before = [math.floor(p) for p in places]
        after = [min(b + 1, size - 1) for b in before]
        share = np.array([p - b for p, b in zip(places, before, strict=True)])
        share = share.reshape([-1 if axis == a else 1 for a in range(4)])
        x = x.take(before, axis) * (1 - share) + x.take(after, axis) * share
    return x


def _place(i: int, size: int, made: int, align_corners: bool) -> float:
    if align_corners:
        return i * (size - 1) / (made - 1) if made > 1 else 0
    return min(max((i + 0.5) * size / made - 0.5, 0), size - 1)


@apply.register
def _(op: Crop, operands: list[Array], weights: Weights) -> Array:
    x = operands[0]
    height, width = op.size or operands[1].shape[2:]
    top, left = math.floor((x.shape[2] - height) / 2), math.floor((x.shape[3] - width) / 2)
    return x[:, :, top : top + height, left : left + width]


@apply.register
def _(op: PixelShuffle, operands: list[Array], weights: Weights) -> Array:
    x, r = operands[0], op.factor
    out = np.empty((len(x), x.shape[1] // r**2, x.shape[2] * r, x.shape[3] * r))
    for i, j in np.ndindex(r, r):
        out[:, :, i::r, j::r] = x[:, i * r + j :: r**2]
    return out


@apply.register
def _(op: PixelUnshuffle, operands: list[Array], weights: Weights) -> Array:
    x, r = operands[0], op.factor
    out = np.empty((len(x), x.shape[1] * r**2, x.shape[2] // r, x.shape[3] // r))
    for i, j in np.ndindex(r, r):
        out[:, i * r + j :: r**2] = x[:, :, i::r, j::r]
    return out


@apply.register
def _(op: BatchNorm, operands: list[Array], weights: Weights) -> Array:
    x = operands[0]
    spread = (1, -1) + (1,) * (x.ndim - 2)
    mean, var = (weights[f"running_{name}"].reshape(spread) for name in ("mean", "var"))
    out = (x - mean) / np.sqrt(var + op.eps)
    if op.scale:
        out = out * weights["weight"].reshape(spread)
    if op.shift:
        out = out + weights["bias"].reshape(spread)
    return np.asarray(out)


@apply.register
def _(op: LayerNorm, operands: list[Array], weights: Weights) -> Array:
    x = operands[0]
    return _learned(op, (x - x.mean(1, keepdims=True)) / _deviation(x, 1, op.eps), weights)


@apply.register
def _(op: GroupNorm, operands: list[Array], weights: Weights) -> Array:
    x = operands[0]
    out = np.empty_like(x)
    size = x.shape[1] // op.groups
    for sample, start in np.ndindex(len(x), op.groups):
        part = x[sample, start * size : (start + 1) * size]
        normal = (part - part.mean()) / np.sqrt(part.var() + op.eps)
        out[sample, start * size : (start + 1) * size] = normal
    return _learned(op, out, weights)


@apply.register
def _(op: InstanceNorm, operands: list[Array], weights: Weights) -> Array:
    x = operands[0]
    normal = (x - x.mean((2, 3), keepdims=True)) / _deviation(x, (2, 3), op.eps)
    return _learned(op, normal, weights)


@apply.register
def _(op: LayerScale, operands: list[Array], weights: Weights) -> Array:
    x = operands[0]
    return x * weights["weight"].reshape((1, -1) + (1,) * (x.ndim - 2))


@apply.register
def _(op: LocalResponseNorm, operands: list[Array], weights: Weights) -> Array:
    x, before, after = operands[0], op.size // 2, (op.size - 1) // 2
    out = np.empty_like(x)
    for c in range(x.shape[1]):
        squares = (x[:, max(0, c - before) : c + after + 1] ** 2).sum(1)
        out[:, c] = x[:, c] / (op.k + op.alpha / op.size * squares) ** op.beta
    return out


@apply.register
def _(op: Pad, operands: list[Array], weights: Weights) -> Array:
    mode: Any = {"zeros": "constant", "reflect": "reflect", "replicate": "edge"}[op.mode]
    return np.pad(operands[0], ((0, 0), (0, 0), *op.padding), mode=mode)


def _deviation(x: Array, axes: int | tuple[int, ...], eps: float) -> Array:
    return np.asarray(np.sqrt(x.var(axes, keepdims=True) + eps))


def _learned(op: LayerNorm | GroupNorm | InstanceNorm, x: Array, weights: Weights) -> Array:
    spread = (1, -1) + (1,) * (x.ndim - 2)
    if op.scale:
        x = x * weights["weight"].reshape(spread)
    if op.shift:
        x = x + weights["bias"].reshape(spread)
    return x


_erf = np.vectorize(math.erf, otypes=[np.float64])

_ROOT = math.sqrt(2 / math.pi)

ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "gelu": lambda x: x * (1 + _erf(x / math.sqrt(2))) / 2,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-abs(x))),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "mish": lambda x: x * np.tanh(np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))),
}
"""Word in a spec -> the function."""

WITH_ARGUMENT: Mapping[str, Callable[[Array, Any], Array]] = {
    "leaky_relu": lambda x, slope: np.where(x > 0, x, slope * x),
    "elu": lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x)),
    "gelu": lambda x, _: x * (1 + np.tanh(_ROOT * (x + 0.044715 * x**3))) / 2,
}
"""Word in a spec -> the function with an argument that is not the default."""


@apply.register
def _(op: Activation, operands: list[Array], weights: Weights) -> Array:
    if op.argument is not None:
        return np.asarray(WITH_ARGUMENT[op.function](operands[0], op.argument))
    return np.asarray(ACTIVATIONS[op.function](operands[0]))


@apply.register
def _(op: PReLU, operands: list[Array], weights: Weights) -> Array:
    x = operands[0]
    slopes = weights["weight"].reshape((-1,) + (1,) * (x.ndim - 2))
    return np.asarray(np.where(x > 0, x, slopes * x))


@apply.register
def _(op: Scale, operands: list[Array], weights: Weights) -> Array:
    return operands[0] * op.factor


@apply.register(Dropout)
@apply.register(Identity)
def _(op: Op, operands: list[Array], weights: Weights) -> Array:
    return operands[0]


@apply.register
def _(op: Standardize, operands: list[Array], weights: Weights) -> Array:
    mean, deviation = (np.array(values)[:, None, None] for values in (op.mean, op.deviation))
    return np.asarray((operands[0] - mean) / deviation)


@apply.register
def _(op: Softmax, operands: list[Array], weights: Weights) -> Array:
    raised = np.exp(operands[0] - operands[0].max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


@apply.register
def _(op: Normalize, operands: list[Array], weights: Weights) -> Array:
    return np.stack([row / max(math.sqrt(sum(row * row)), 1e-12) for row in operands[0]])


@apply.register
def _(op: Linear, operands: list[Array], weights: Weights) -> Array:
    out = operands[0] @ weights["weight"].T
    return np.asarray(out + weights["bias"] if op.bias else out)


@apply.register
def _(op: Flatten, operands: list[Array], weights: Weights) -> Array:
    return np.stack([sample.ravel() for sample in operands[0]])


@apply.register
def _(op: Concat, operands: list[Array], weights: Weights) -> Array:
    channels = [operand[:, c] for operand in operands for c in range(operand.shape[1])]
    return np.stack(channels, axis=1)


@apply.register
def _(op: Add, operands: list[Array], weights: Weights) -> Array:
    return np.asarray(sum(operands[1:], start=operands[0]))


@apply.register
def _(op: Multiply, operands: list[Array], weights: Weights) -> Array:
    out = operands[0].copy()
    for factor in operands[1:]:
        out *= factor
    return out


@apply.register
def _(op: Slice, operands: list[Array], weights: Weights) -> Array:
    return operands[0][:, op.start : op.stop]


@apply.register
def _(op: Chunk, operands: list[Array], weights: Weights) -> Array:
    return np.asarray(np.split(operands[0], op.chunks, axis=1)[op.index])


@apply.register
def _(op: ChannelShuffle, operands: list[Array], weights: Weights) -> Array:
    pieces = np.split(operands[0], op.groups, axis=1)
    return np.stack([p[:, i] for i in range(pieces[0].shape[1]) for p in pieces], axis=1)


@apply.register
def _(op: ChannelPool, operands: list[Array], weights: Weights) -> Array:
    reduce = np.mean if op.function == "mean" else np.max
    return np.asarray(reduce(operands[0], axis=1, keepdims=True))


@apply.register
def _(op: Subtract, operands: list[Array], weights: Weights) -> Array:
    first, second = operands
    return np.asarray(first - second)


@apply.register
def _(op: Maximum, operands: list[Array], weights: Weights) -> Array:
    return np.asarray(np.stack(operands).max(axis=0))
