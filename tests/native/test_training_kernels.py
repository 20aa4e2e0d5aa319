"""The single convolutions of a training step, against PyTorch's in float64: all three products."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from backends.native import winograd_convolution
from backends.native.compiled_library import load_library
from backends.native.convolution import Geometry, on_pixels
from backends.native.tile_convolution import TileConvolution, TileWeightGradient
from backends.native.transforms import KERNELS, variants_of
from backends.native.winograd_convolution import ShortConvolution, ShortWeightGradient, tile_groups
from backends.winograd import Variant
from tests.native.training_values import (
    BOUND,
    CHANNELS_LAST,
    FLOAT,
    NEEDS_COMPILER,
    ROUNDED,
    SHORT_FLOAT,
    distance,
    in_float64,
    normal,
)

pytestmark = NEEDS_COMPILER
VARIANTS = [variant for kernel in KERNELS for variant in variants_of(kernel)]


def test_which_kernels_have_variants() -> None:
    assert {v.outputs for v in variants_of((1, 7))} == {(1, 2), (1, 4), (1, 6)}
    assert variants_of((1, 1)) == variants_of((7, 7)) == ()
    assert all(variants_of(kernel) for kernel in KERNELS)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, CHANNELS_LAST])
@pytest.mark.parametrize("dtype", [FLOAT, SHORT_FLOAT])
def test_all_three_products(
    variant: Variant, padded: bool, layout: torch.memory_format, dtype: torch.dtype
) -> None:
    pads = (variant.kernel[0] // 2, variant.kernel[1] // 2) if padded else (0, 0)
    x = normal(2, 32, 13, 11).to(dtype).contiguous(memory_format=layout)
    weight = normal(48, 32, *variant.kernel, seed=2).contiguous(memory_format=layout)
    bias = normal(48, seed=3)
    out, gradient, for_x, for_weight = in_float64(x, weight, pads, bias, dtype)
    out_size = out.shape[2], out.shape[3]
    geometry = Geometry(2, 32, (13, 11), 48, variant.kernel, pads, out_size, dtype)
    bound = BOUND if dtype == FLOAT else ROUNDED
    made = ShortConvolution(geometry, variant, 1)(x, weight, bias)
    assert made.dtype == dtype
    assert distance(made, out) < bound
    assert made.is_contiguous(memory_format=CHANNELS_LAST)
    turned = ShortConvolution(geometry.input_gradient, variant, 1).turned(gradient, weight)
    assert turned.dtype == dtype
    assert distance(turned, for_x) < bound
    back = ShortWeightGradient(geometry, variant, 1)(x, gradient, weight)
    assert back.dtype == FLOAT
    assert distance(back, for_weight) < BOUND  # nothing is rounded here but what came in
    assert back.stride() == weight.stride()


TILED = [  # batch, channels, out channels, size, kernel, stride, padding
    (2, 16, 48, (9, 7), (3, 3), (1, 1), (1, 1)),
    (3, 80, 32, (11, 12), (3, 2), (2, 1), (0, 1)),
    (2, 64, 64, (8, 8), (1, 7), (1, 1), (0, 3)),
    (1, 48, 16, (5, 5), (1, 1), (1, 1), (0, 0)),
    (4, 32, 96, (24, 25), (3, 3), (2, 2), (1, 1)),
]


@pytest.mark.parametrize("case", TILED, ids=str)
@pytest.mark.parametrize("layout", [torch.contiguous_format, CHANNELS_LAST])
@pytest.mark.parametrize("threads", [1, 3])
def test_all_three_products_by_tiles(
    case: tuple[Any, ...], layout: torch.memory_format, threads: int
) -> None:
    if not load_library().has_tiles:
        pytest.skip("this processor has no matrix tiles (AMX)")
    batch, channels, out_channels, size, kernel, stride, pads = case
    x = normal(batch, channels, *size).bfloat16().contiguous(memory_format=layout)
    weight = normal(out_channels, channels, *kernel, seed=2).bfloat16().float()  # as tiles round it
    weight = weight.contiguous(memory_format=layout)
    bias = normal(out_channels, seed=3)
    wide, wide_weight = x.double().requires_grad_(), weight.double().requires_grad_()
    out = F.conv2d(wide, wide_weight, bias.double(), stride, pads)
    gradient = normal(*out.shape, seed=1).bfloat16()
    torch.autograd.backward(out, gradient.double())
    out_size = out.shape[2], out.shape[3]
    geometry = Geometry(
        batch, channels, size, out_channels, kernel, pads, out_size, SHORT_FLOAT, stride
    )
    made = TileConvolution(geometry, threads)(x, weight, bias)
    assert made.dtype == SHORT_FLOAT
    assert made.is_contiguous(memory_format=CHANNELS_LAST)
    assert distance(made, out.detach()) < ROUNDED
    back = TileWeightGradient(geometry, threads)(x, gradient, weight)
    assert wide_weight.grad is not None
    assert distance(back, wide_weight.grad) < 2e-6  # nothing is rounded but what came in
    assert back.stride() == weight.stride()
    if stride == (1, 1):
        turned = TileConvolution(geometry.input_gradient, threads).turned(gradient, weight)
        assert wide.grad is not None
        assert distance(turned, wide.grad) < ROUNDED


@pytest.mark.parametrize("tiled", [False, True], ids=["winograd", "tiles"])
def test_layers_of_one_geometry_share_a_kernel_and_no_bias(tiled: bool) -> None:
    if tiled and not load_library().has_tiles:
        pytest.skip("this processor has no matrix tiles (AMX)")
    dtype = SHORT_FLOAT if tiled else FLOAT
    geometry = Geometry(2, 32, (9, 7), 32, (3, 3), (1, 1), (9, 7), dtype)
    one_for_all = (
        TileConvolution(geometry, 1)
        if tiled
        else ShortConvolution(geometry, Variant((3, 3), (4, 4)), 1)
    )
    x, weight = normal(2, 32, 9, 7).to(dtype), normal(32, 32, 3, 3, seed=2)
    for bias in (normal(32, seed=3), None, normal(32, seed=4), None):
        out, *_ = in_float64(x, weight, (1, 1), bias, dtype)
        made = one_for_all(x, weight, bias)
        assert distance(made, out) < (ROUNDED if tiled else BOUND)


def test_many_tiles_go_in_groups_whose_weight_gradients_add_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variant = Variant((3, 3), (4, 4))
    geometry = Geometry(3, 16, (18, 18), 16, (3, 3), (1, 1), (18, 18))
    assert tile_groups(geometry, variant) == [(0, 75)]  # 5 x 5 tiles, 3 images
    monkeypatch.setattr(winograd_convolution, "_GROUP_FLOATS", 36 * 16 * 20)
    assert tile_groups(geometry, variant) == [(0, 19), (19, 19), (38, 19), (57, 18)]
    x, weight = normal(3, 16, 18, 18), normal(16, 16, 3, 3, seed=2)
    out, gradient, _, for_weight = in_float64(x, weight, (1, 1))
    assert distance(ShortConvolution(geometry, variant, 2)(x, weight), out) < BOUND
    made = ShortWeightGradient(geometry, variant, 2)(x, gradient, weight)
    assert distance(made, for_weight) < BOUND


def test_a_slice_of_a_concat_is_read_where_it_lies() -> None:
    whole = normal(2, 80, 7, 9).contiguous(memory_format=CHANNELS_LAST)
    part = whole[:, 16:48]
    same, stride = on_pixels(part)
    assert same.data_ptr() == part.data_ptr()
    assert stride == 80
    weight = normal(16, 32, 3, 3, seed=2)
    geometry = Geometry(2, 32, (7, 9), 16, (3, 3), (1, 1), (7, 9))
    made = ShortConvolution(geometry, Variant((3, 3), (2, 2)), 1)(part, weight)
    assert distance(made, F.conv2d(part.double(), weight.double(), padding=1)) < BOUND


@pytest.mark.parametrize(
    "x",
    [
        normal(2, 32, 4, 5),
        normal(2, 4, 5, 32).permute(0, 3, 1, 2)[:, :, ::2],
        normal(1, 32, 4, 5).expand(2, 32, 4, 5),
    ],
    ids=["channels first", "every other row", "one image twice"],
)
def test_other_layouts_are_copied(x: Tensor) -> None:
    made, stride = on_pixels(x)
    assert stride == 32
    assert made.is_contiguous(memory_format=CHANNELS_LAST)
    assert torch.equal(made, x)
