"""Operations on small shapes, every attribute off its default at least once, by name."""

from __future__ import annotations

from typing import Literal

from compiler.graph import Pads, Pair
from compiler.ops import (
    ACTIVATIONS,
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

VALID = ((0, 0), (0, 0))
ONE = ((1, 1), (1, 1))
TWO = ((2, 2), (2, 2))
UNEVEN = ((0, 1), (2, 1))

Case = tuple[Op, tuple[tuple[int, ...], ...]]


def _conv_cases() -> dict[str, Case]:
    odd, even = ((4, 7, 9),), ((4, 8, 6),)
    return {
        "conv 1x1": (Conv2d(3, (1, 1)), odd),
        "conv 3x3 same odd": (Conv2d(3, (3, 3), (2, 2)), odd),
        "conv 3x3 same even": (Conv2d(3, (3, 3), (2, 2)), even),
        "conv 4x4 same even kernel": (Conv2d(3, (4, 4)), even),
        "conv 2x5 same strides 3x1": (Conv2d(3, (2, 5), (3, 1)), even),
        "conv 1x7 same": (Conv2d(3, (1, 7), bias=False), odd),
        "conv 7x1 same": (Conv2d(3, (7, 1), bias=False), odd),
        "conv 3x3 valid": (Conv2d(3, (3, 3), padding=VALID), even),
        "conv 3x3 uneven pads": (Conv2d(3, (3, 3), padding=UNEVEN), odd),
        "conv 3x3 uneven pads stride 2": (Conv2d(3, (3, 3), (2, 2), padding=UNEVEN), even),
        "conv dilated same": (Conv2d(3, (3, 3), dilation=(2, 3)), odd),
        "conv dilated strided same": (Conv2d(3, (3, 2), (2, 2), dilation=(2, 2)), even),
        "conv dilated valid": (Conv2d(3, (3, 3), padding=VALID, dilation=(2, 1)), odd),
        "conv 2 groups": (Conv2d(6, (3, 3), groups=2), odd),
        "conv depthwise strided": (Conv2d(8, (3, 3), (2, 2), groups=4, bias=False), even),
        "conv stride past kernel": (Conv2d(3, (1, 1), (2, 2)), even),
    }


def _transposed_cases() -> dict[str, Case]:
    odd, even = ((4, 3, 5),), ((4, 4, 2),)
    made = ConvTranspose2d
    return {
        "conv_transpose 2x2 s2 same": (made(3, (2, 2), (2, 2)), odd),
        "conv_transpose 3x3 s2 same": (made(3, (3, 3), (2, 2)), odd),
        "conv_transpose 4x5 s2 same": (made(6, (4, 5), (2, 2), groups=2), even),
        "conv_transpose 1x3 s3 same": (made(3, (1, 3), (3, 2)), odd),
        "conv_transpose 3x3 s1 same": (made(3, (3, 3), bias=False), odd),
        "conv_transpose 3x3 s2 valid": (made(3, (3, 3), (2, 2), VALID), odd),
        "conv_transpose 3x3 s2 p1 op1": (made(3, (3, 3), (2, 2), ONE, (1, 1)), odd),
        "conv_transpose 4x4 s3x2 op2x1": (made(3, (4, 4), (3, 2), ONE, (2, 1)), even),
        "conv_transpose uneven": (made(3, (3, 3), (2, 2), ((0, 1), (2, 1))), odd),
        "conv_transpose dilated": (made(3, (3, 2), (1, 2), VALID, dilation=(2, 3)), odd),
        "conv_transpose dilated same": (made(3, (3, 2), (2, 1), dilation=(2, 3)), even),
        "conv_transpose depthwise": (made(8, (3, 3), (2, 2), ONE, groups=4), even),
    }


def _pool_cases() -> dict[str, Case]:
    out: dict[str, Case] = {}
    windows: dict[str, tuple[Pair, Pair, Pads | Literal["same"], bool]] = {
        "3x3 s1 same": ((3, 3), (1, 1), "same", False),
        "2x2 s2 same": ((2, 2), (2, 2), "same", False),
        "3x3 s2 same": ((3, 3), (2, 2), "same", False),
        "4x2 s1 same": ((4, 2), (1, 1), "same", False),
        "3x3 s2 valid": ((3, 3), (2, 2), VALID, False),
        "3x3 s2 valid ceil": ((3, 3), (2, 2), VALID, True),
        "3x3 s2 p1 ceil": ((3, 3), (2, 2), ONE, True),
        "2x2 s2 p1 ceil": ((2, 2), (2, 2), ONE, True),
        "4x4 s4 p2 ceil": ((4, 4), (4, 4), TWO, True),
        "3x3 s3 p1 ceil": ((3, 3), (3, 3), ONE, True),
        "2x3 s1x3 uneven": ((2, 3), (1, 3), ((1, 0), (0, 1)), False),
        "4x4 s2 uneven ceil": ((4, 4), (2, 2), ((1, 0), (2, 1)), True),
        "1x1 s2 ceil": ((1, 1), (2, 2), VALID, True),
    }
    for grid in ((9, 9), (8, 6), (5, 7)):
        shapes = ((2, *grid),)
        for name, (kernel, stride, pads, ceil) in windows.items():
            label = f"{name} on {grid[0]}x{grid[1]}"
            out[f"max_pool {label}"] = (MaxPool2d(kernel, stride, pads, ceil), shapes)
            for count in (False, True):
                op = AvgPool2d(kernel, stride, pads, ceil, count)
                out[f"avg_pool {label} count {count}"] = (op, shapes)
    return out


def _other_cases() -> dict[str, Case]:
    grid, vector = (3, 5, 4), (6,)
    return {
        "global avg": (GlobalPool2d("avg"), (grid,)),
        "global max": (GlobalPool2d("max"), (grid,)),
        "global avg keep": (GlobalPool2d("avg", keep_grid=True), (grid,)),
        "global max keep": (GlobalPool2d("max", keep_grid=True), (grid,)),
        "adaptive 7 of 12": (AdaptiveAvgPool2d((7, 7)), ((2, 12, 12),)),
        "adaptive 3 of 6": (AdaptiveAvgPool2d((3, 3)), ((2, 6, 6),)),
        "adaptive 2x5 of 9x7": (AdaptiveAvgPool2d((2, 5)), ((2, 9, 7),)),
        "adaptive 6 of 4": (AdaptiveAvgPool2d((6, 6)), ((2, 4, 4),)),
        "adaptive 1": (AdaptiveAvgPool2d((1, 1)), (grid,)),
        "upsample 1": (Upsample(1), (grid,)),
        "upsample 2": (Upsample(2), (grid,)),
        "upsample 3": (Upsample(3), (grid,)),
        "upsample to a size": (Upsample(size=(7, 6)), (grid,)),
        "upsample to its size": (Upsample(size=(5, 4), mode="bilinear"), (grid,)),
        "upsample to a whole multiple": (Upsample(size=(10, 12)), (grid,)),
        "upsample to a smaller size": (Upsample(size=(3, 4), mode="bilinear"), (grid,)),
        "upsample like another": (Upsample(), (grid, (7, 9, 4))),
        "upsample like another bilinear": (Upsample(mode="bilinear"), (grid, (2, 10, 8))),
        "upsample bilinear 2": (Upsample(2, mode="bilinear"), (grid,)),
        "upsample bilinear 3": (Upsample(3, mode="bilinear"), (grid,)),
        "upsample corners 2": (Upsample(2, mode="bilinear", align_corners=True), (grid,)),
        "upsample corners 3": (Upsample(3, None, "bilinear", True), ((2, 3, 6),)),
        "upsample corners to a size": (Upsample(None, (8, 1), "bilinear", True), (grid,)),
        "crop": (Crop((2, 4)), ((3, 7, 9),)),
        "crop odd": (Crop((4, 2)), ((3, 7, 7),)),
        "crop nothing": (Crop((5, 4)), (grid,)),
        "crop like another": (Crop(), ((3, 7, 9), (1, 4, 4))),
        "pixel shuffle 1": (PixelShuffle(1), (grid,)),
        "pixel shuffle 2": (PixelShuffle(2), ((8, 3, 4),)),
        "pixel shuffle 3": (PixelShuffle(3), ((9, 2, 5),)),
        "pixel unshuffle 2": (PixelUnshuffle(2), ((2, 6, 4),)),
        "pixel unshuffle 3": (PixelUnshuffle(3), ((3, 3, 9),)),
        "pixel unshuffle 1": (PixelUnshuffle(1), (grid,)),
        "batch norm": (BatchNorm(eps=1e-3), (grid,)),
        "batch norm plain": (BatchNorm(scale=False, shift=False), (grid,)),
        "batch norm without scale": (BatchNorm(scale=False), (grid,)),
        "batch norm without shift": (BatchNorm(shift=False), (grid,)),
        "batch norm vector without scale": (BatchNorm(scale=False), (vector,)),
        "batch norm vector without shift": (BatchNorm(shift=False), (vector,)),
        "batch norm vector": (BatchNorm(), (vector,)),
        "layer scale": (LayerScale(1e-6), (grid,)),
        "layer scale vector": (LayerScale(0.1), (vector,)),
        "lrn 5": (LocalResponseNorm(5, 0.5, 0.6, 2.0), ((7, 3, 4),)),
        "lrn 3 of torch": (LocalResponseNorm(3), (grid,)),
        "pad 1": (Pad(ONE), (grid,)),
        "pad uneven": (Pad(UNEVEN), (grid,)),
        "pad 0": (Pad(VALID), (grid,)),
        "pad reflect": (Pad(((2, 1), (0, 3)), "reflect"), ((3, 9, 11),)),
        "pad replicate": (Pad(((2, 1), (0, 6)), "replicate"), ((3, 9, 11),)),
        "scale": (Scale(0.17), (grid,)),
        "standardize": (Standardize((0.25, 0.5, -1.0), (0.5, 2.0, 4.0)), (grid,)),
        "softmax": (Softmax(), (vector,)),
        "softmax map": (Softmax(), (grid,)),
        "normalize": (Normalize(), (vector,)),
        "linear": (Linear(4), (vector,)),
        "linear no bias": (Linear(4, bias=False), (vector,)),
        "flatten": (Flatten(), (grid,)),
        "concat": (Concat(), (grid, (1, 5, 4), (2, 5, 4))),
        "concat vectors": (Concat(), (vector, (2,))),
        "concat one": (Concat(), (grid,)),
        "add 2": (Add(), (grid, grid)),
        "add 3": (Add(), (grid, grid, grid)),
        "add 1": (Add(), (grid,)),
        "multiply": (Multiply(), (grid, grid)),
        "multiply gate": (Multiply(), (grid, (3, 1, 1))),
        "multiply 3": (Multiply(), (grid, grid, (3, 1, 1))),
        "multiply one channel": (Multiply(), (grid, (1, 5, 4))),
        "multiply both gates": (Multiply(), (grid, (1, 5, 4), (3, 1, 1))),
        "multiply one number": (Multiply(), (grid, (1, 1, 1))),
        "subtract": (Subtract(), (grid, grid)),
        "subtract vectors": (Subtract(), (vector, vector)),
        "maximum 2": (Maximum(), (grid, grid)),
        "maximum 3": (Maximum(), (vector, vector, vector)),
        "maximum 1": (Maximum(), (grid,)),
        "channel mean": (ChannelPool("mean"), (grid,)),
        "channel max": (ChannelPool("max"), (grid,)),
        "channel mean of one": (ChannelPool("mean"), ((1, 5, 4),)),
        "slice": (Slice(1, 3), (grid,)),
        "slice vector": (Slice(0, 2), (vector,)),
        "slice all": (Slice(0, 3), (grid,)),
        "chunk": (Chunk(3, 1), ((6, 5, 4),)),
        "chunk vector": (Chunk(2, 0), (vector,)),
        "chunk all": (Chunk(1), (grid,)),
        "channel shuffle 3": (ChannelShuffle(3), ((6, 5, 4),)),
        "channel shuffle 2": (ChannelShuffle(2), ((6, 5, 4),)),
        "channel shuffle 1": (ChannelShuffle(1), (grid,)),
        "channel shuffle of single channels": (ChannelShuffle(3), (grid,)),
        "dropout": (Dropout(0.2), (grid,)),
        "drop path": (Dropout(0.2, per_sample=True), (grid,)),
        "identity": (Identity(), (grid,)),
    }


def _norm_cases() -> dict[str, Case]:
    grid, vector = (6, 5, 4), (6,)
    out: dict[str, Case] = {
        "group norm of 2 eps": (GroupNorm(2, 1e-2), (grid,)),
        "group norm of channels": (GroupNorm(6), (grid,)),
        "group norm of pixels": (GroupNorm(3), ((6, 1, 1),)),
        "group norm vector": (GroupNorm(2), (vector,)),
        "layer norm eps": (LayerNorm(1e-2), (grid,)),
        "layer norm vector": (LayerNorm(), (vector,)),
        "layer norm vector plain": (LayerNorm(scale=False, shift=False), (vector,)),
        "layer norm vector without scale": (LayerNorm(scale=False), (vector,)),
        "instance norm eps": (InstanceNorm(1e-2), (grid,)),
    }
    for scale, shift in ((True, True), (True, False), (False, True), (False, False)):
        what = f"scale {scale} shift {shift}"
        out[f"group norm {what}"] = (GroupNorm(2, 1e-5, scale, shift), (grid,))
        out[f"instance norm {what}"] = (InstanceNorm(1e-5, scale, shift), (grid,))
        out[f"layer norm {what}"] = (LayerNorm(1e-5, scale, shift), (grid,))
    return out


CASES: dict[str, Case] = {
    **_conv_cases(),
    **_transposed_cases(),
    **_pool_cases(),
    **_other_cases(),
    **_norm_cases(),
    **{f"activation {name}": (Activation(name), ((3, 5, 4),)) for name in ACTIVATIONS},
    "leaky relu of a slope": (Activation("leaky_relu", 0.2), ((3, 5, 4),)),
    "elu of an alpha": (Activation("elu", 0.5), ((3, 5, 4),)),
    "gelu of tanh": (Activation("gelu", "tanh"), ((3, 5, 4),)),
    "prelu": (PReLU(), ((3, 5, 4),)),
    "prelu vector": (PReLU(), ((6,),)),
    "prelu of one slope": (PReLU("one"), ((3, 5, 4),)),
    "prelu of one slope on a vector": (PReLU("one"), ((6,),)),
}


REFUSED: dict[str, tuple[Op, tuple[tuple[int, ...], ...], str, str]] = {
    "groups that do not divide": (
        Conv2d(3, (1, 1), groups=3),
        ((4, 5, 5),),
        "4 input channels cannot be split into 3 groups (4 % 3 = 1)",
        "choose groups that divide 4",
    ),
    "reflection of a grid that is too small": (
        Pad(((1, 4), (0, 0)), "reflect"),
        ((2, 4, 9),),
        "a 4x9 grid has no 4 pixels beside its last one to mirror",
        "pad by less than the grid, or with `mode: replicate`",
    ),
    "output padding like the stride": (
        ConvTranspose2d(3, (3, 3), (2, 2), ONE, (2, 0)),
        ((4, 5, 5),),
        "an output padding of 2x0 is not less than the stride 2 or the dilation 1",
        "it is 0 or less than the stride",
    ),
    "transposed convolution that leaves nothing": (
        ConvTranspose2d(3, (1, 1), (1, 1), TWO),
        ((4, 4, 6),),
        "the padding cuts everything off: 0x2 is left",
        "lower the padding",
    ),
    "transposed groups that do not divide": (
        ConvTranspose2d(4, (1, 1), groups=4),
        ((6, 5, 5),),
        "6 input channels cannot be split into 4 groups (6 % 4 = 2)",
        "choose groups that divide 6",
    ),
    "group norm that does not divide": (
        GroupNorm(4),
        ((6, 5, 4),),
        "6 channels cannot be split into 4 groups (6 % 4 = 2)",
        "choose groups that divide 6",
    ),
    "group norm of single numbers": (
        GroupNorm(6),
        ((6, 1, 1),),
        "6 groups of 6 channels are single numbers, which a norm makes 0",
        "choose fewer groups",
    ),
    "instance norm of one pixel": (
        InstanceNorm(),
        ((6, 1, 1),),
        "instance norm of a 1x1 grid makes every number 0",
        "normalise before the map is one pixel, or use `layer_norm`",
    ),
    "pixel shuffle that does not divide": (
        PixelShuffle(2),
        ((6, 3, 4),),
        "6 channels cannot be spread over squares of 2x2 pixels (6 % 4 = 2)",
        "give it a multiple of 4 channels",
    ),
    "pixel unshuffle of an uneven grid": (
        PixelUnshuffle(2),
        ((3, 6, 5),),
        "a grid of 6x5 cannot be cut into squares of 2x2 pixels",
        "give it a height and a width that are multiples of 2",
    ),
    "slice past the end": (
        Slice(2, 5),
        ((3, 6, 5),),
        "the slice [2, 5] is outside 3 channels",
        "channels are counted from 0, the end is not taken: [0, 3] takes all 3",
    ),
    "slice of nothing": (
        Slice(2, 2),
        ((3, 6, 5),),
        "the slice [2, 2] takes no channels of 3",
        "channels are counted from 0, the end is not taken: [0, 3] takes all 3",
    ),
    "chunk that does not divide": (
        Chunk(2),
        ((5, 6, 5),),
        "5 channels cannot be split into 2 equal pieces (5 % 2 = 1)",
        "give it a multiple of 2 channels",
    ),
    "chunk past the last": (
        Chunk(2, 2),
        ((4, 6, 5),),
        "there is no piece 2 of 2: they are counted from 0",
        "the last one has the index 1",
    ),
    "channel shuffle that does not divide": (
        ChannelShuffle(4),
        ((6, 6, 5),),
        "6 channels cannot be split into 4 groups (6 % 4 = 2)",
        "give it a multiple of 4 channels",
    ),
}
"""Operations on shapes that they do not take: the whole message, and its help."""
