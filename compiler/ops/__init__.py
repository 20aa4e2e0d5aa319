"""The closed set of operations: name in a printed graph -> class."""

from __future__ import annotations

from compiler.graph import Input, Op
from compiler.ops.activation import (
    ACTIVATIONS,
    Activation,
    Dropout,
    Identity,
    Normalize,
    Scale,
    Softmax,
    Standardize,
)
from compiler.ops.conv import Conv2d
from compiler.ops.linear import Flatten, Linear
from compiler.ops.merge import Add, Concat, Multiply, Slice
from compiler.ops.norm import BatchNorm
from compiler.ops.pool import AdaptiveAvgPool2d, AvgPool2d, GlobalPool2d, MaxPool2d, Upsample

OPS: dict[str, type[Op]] = {
    op.kind: op
    for op in (
        Input,
        Conv2d,
        MaxPool2d,
        AvgPool2d,
        GlobalPool2d,
        AdaptiveAvgPool2d,
        Upsample,
        BatchNorm,
        Activation,
        Scale,
        Standardize,
        Dropout,
        Softmax,
        Identity,
        Normalize,
        Linear,
        Flatten,
        Concat,
        Add,
        Multiply,
        Slice,
    )
}

__all__ = [
    "ACTIVATIONS",
    "OPS",
    "Activation",
    "AdaptiveAvgPool2d",
    "Add",
    "AvgPool2d",
    "BatchNorm",
    "Concat",
    "Conv2d",
    "Dropout",
    "Flatten",
    "GlobalPool2d",
    "Identity",
    "Input",
    "Linear",
    "MaxPool2d",
    "Multiply",
    "Normalize",
    "Op",
    "Scale",
    "Slice",
    "Softmax",
    "Standardize",
    "Upsample",
]
