"""What kind of box an operation stands in; the words in it are `compiler.facts.labels`'."""

from __future__ import annotations

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
    Standardize,
    Upsample,
)
from viz.diagram.parts import BoxKind

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
    Standardize: "scale",
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
