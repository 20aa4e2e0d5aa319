"""The closed set of operations, a file for each family, and the layers of a spec that they are."""

from __future__ import annotations

import sys
from typing import TypeVar

from compiler.graph import Input, Op
from compiler.ops.activation import (
    ACTIVATION_WORDS,
    ACTIVATIONS,
    ARGUMENTS,
    Activation,
    ActivationLayer,
    ActivationName,
    Parametric,
    PReLU,
    activation_of,
    is_activation,
    read_activation,
    spelled,
)
from compiler.ops.border import Crop, Pad
from compiler.ops.channel import LayerScale, LocalResponseNorm
from compiler.ops.conv import Conv2d, ConvLayer
from compiler.ops.conv_transpose import ConvTranspose2d
from compiler.ops.elementwise import (
    Dropout,
    Identity,
    Normalize,
    Scale,
    ShareLayer,
    Softmax,
    Standardize,
)
from compiler.ops.layer import (
    COMMON,
    COMMON_KEYS,
    NOTHING,
    CiteSpec,
    Common,
    Fields,
    JoinLayer,
    Layer,
    Parts,
    WordLayer,
)
from compiler.ops.linear import Flatten, Linear
from compiler.ops.merge import Add, Concat, Maximum, Multiply, Subtract
from compiler.ops.norm import (
    NORM_WORDS,
    NORMS,
    BatchNorm,
    BatchNormLayer,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Norm,
    NormName,
    grouped,
    is_norm,
)
from compiler.ops.pool import AdaptiveAvgPool2d, AvgPool2d, GlobalPool2d, MaxPool2d
from compiler.ops.rearrange import ChannelPool, ChannelShuffle, Chunk, Slice
from compiler.ops.resample import PixelShuffle, PixelUnshuffle, Upsample
from compiler.ops.vocabulary import WORD_VALUES, with_words

_T = TypeVar("_T")

FAMILIES = (
    "conv",
    "conv_transpose",
    "pool",
    "resample",
    "border",
    "norm",
    "channel",
    "linear",
    "activation",
    "elementwise",
    "rearrange",
    "merge",
)
"""The modules here that define operations, in the order in which lists show them."""


def _classes(base: type[_T]) -> list[type[_T]]:
    """Return the subclasses of `base` that the families define and that have a name."""
    return [
        item
        for module in (sys.modules[f"{__name__}.{family}"] for family in FAMILIES)
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, base) and item.__module__ == module.__name__
    ]


OPS: dict[str, type[Op]] = {
    Input.kind: Input,
    **{op.kind: op for op in _classes(Op) if hasattr(op, "kind")},
}
"""Name in a printed graph -> operation."""

_MODELS = {str(model.op): model for model in _classes(Layer) if model.op}

OP_LAYERS: dict[str, type[Layer]] = {
    **{op: model for op, model in _MODELS.items() if issubclass(model, WordLayer)},
    **dict.fromkeys((word for word in ACTIVATIONS if word not in _MODELS), ActivationLayer),
    **{op: model for op, model in _MODELS.items() if not issubclass(model, WordLayer)},
}
"""The word that opens a layer which is no structure of others -> its model."""

JOINS: dict[str, type[Op]] = {
    **{"concat": Concat, "add": Add, "subtract": Subtract},
    **{"multiply": Multiply, "maximum": Maximum},
}
"""Word that joins branches -> operation."""

__all__ = [
    "ACTIVATIONS",
    "ACTIVATION_WORDS",
    "ARGUMENTS",
    "COMMON",
    "COMMON_KEYS",
    "FAMILIES",
    "JOINS",
    "NORMS",
    "NORM_WORDS",
    "NOTHING",
    "OPS",
    "OP_LAYERS",
    "WORD_VALUES",
    "Activation",
    "ActivationLayer",
    "ActivationName",
    "AdaptiveAvgPool2d",
    "Add",
    "AvgPool2d",
    "BatchNorm",
    "BatchNormLayer",
    "ChannelPool",
    "ChannelShuffle",
    "Chunk",
    "CiteSpec",
    "Common",
    "Concat",
    "Conv2d",
    "ConvLayer",
    "ConvTranspose2d",
    "Crop",
    "Dropout",
    "Fields",
    "Flatten",
    "GlobalPool2d",
    "GroupNorm",
    "Identity",
    "Input",
    "InstanceNorm",
    "JoinLayer",
    "Layer",
    "LayerNorm",
    "LayerScale",
    "Linear",
    "LocalResponseNorm",
    "MaxPool2d",
    "Maximum",
    "Multiply",
    "Norm",
    "NormName",
    "Normalize",
    "Op",
    "PReLU",
    "Pad",
    "Parametric",
    "Parts",
    "PixelShuffle",
    "PixelUnshuffle",
    "Scale",
    "ShareLayer",
    "Slice",
    "Softmax",
    "Standardize",
    "Subtract",
    "Upsample",
    "WordLayer",
    "activation_of",
    "grouped",
    "is_activation",
    "is_norm",
    "read_activation",
    "spelled",
    "with_words",
]
