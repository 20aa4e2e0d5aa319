"""Training with short convolutions, against PyTorch's in float64: values and every gradient."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backends.engine import training
from backends.engine.optimized import optimize
from backends.engine.training import TunedConv2d, may_be_tuned, use_native_kernels
from backends.native import winograd_convolution
from backends.native.convolution import Geometry, on_pixels
from backends.native.library import load_library
from backends.native.tile_convolution import TileConvolution, TileWeightGradient
from backends.native.transforms import KERNELS, Variant, variants_of
from backends.native.winograd_convolution import (
    ShortConvolution,
    ShortWeightGradient,
    tile_groups,
)
from backends.torch.module import build_module
from backends.unit_scale import randomize
from compiler.errors import BackendError
from tests.passes.random_specs import graph_of

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(
        not any(map(shutil.which, ("g++", "clang++", "c++"))), reason="there is no C++ compiler"
    ),
]

CHANNELS_LAST = torch.channels_last
FLOAT, SHORT_FLOAT = torch.float32, torch.bfloat16
VARIANTS = [variant for kernel in KERNELS for variant in variants_of(kernel)]
BOUND = 3e-5
"""Of the largest value; the transforms of F(6, 7) amplify float32's 6e-8 the most."""
ROUNDED = 2**-8 + BOUND
"""Of the largest value: bfloat16 has eight binary digits, the nearest is half of 2^-7 off."""


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def distance(made: Tensor, reference: Tensor) -> float:
    assert made.shape == reference.shape
    return float((made.detach().double() - reference).abs().max() / reference.abs().max())


def in_float64(
    x: Tensor,
    weight: Tensor,
    pads: tuple[int, int],
    bias: Tensor | None = None,
    dtype: torch.dtype = FLOAT,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the output of a convolution, a gradient for it, and those of x and the weight.

    The gradient for the output is of a dtype, the others are float64.
    """
    x, weight = (t.detach().double().requires_grad_() for t in (x, weight))
    out = F.conv2d(x, weight, None if bias is None else bias.detach().double(), padding=pads)
    gradient = normal(*out.shape, seed=1).to(dtype)
    torch.autograd.backward(out, gradient.double())
    assert x.grad is not None
    assert weight.grad is not None
    return out.detach(), gradient, x.grad, weight.grad


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
        pytest.skip("this processor has no matrix tiles")
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


@pytest.mark.parametrize(
    ("changes", "may_be_short", "may_go_in_tiles"),
    [
        ({}, True, True),
        ({"kernel_size": (1, 7), "padding": (0, 3)}, True, True),
        ({"stride": 2}, False, True),
        ({"dilation": 2}, False, False),
        ({"groups": 2}, False, False),
        ({"kernel_size": 1}, False, True),
        ({"kernel_size": 7}, False, True),
        ({"padding": "same"}, False, False),
        ({"padding_mode": "reflect", "padding": 1}, False, False),
        ({"in_channels": 24}, False, False),
        ({"out_channels": 40}, False, False),
    ],
    ids=str,
)
def test_which_convolutions_may_be_tuned(
    monkeypatch: pytest.MonkeyPatch,
    changes: Mapping[str, Any],
    may_be_short: bool,
    may_go_in_tiles: bool,
) -> None:
    arguments = {"in_channels": 16, "out_channels": 32, "kernel_size": 3, **changes}
    conv = nn.Conv2d(**arguments)
    library = load_library()
    monkeypatch.setattr(library, "has_tiles", False)
    assert may_be_tuned(conv) == may_be_short
    monkeypatch.setattr(library, "has_tiles", True)
    assert may_be_tuned(conv) == may_go_in_tiles


def tuned(monkeypatch: pytest.MonkeyPatch, choice: str) -> tuple[TunedConv2d, list[str]]:
    """Return a convolution whose every task is computed by a choice, and the tasks as they come."""
    tasks: list[str] = []

    def choose(runs: Mapping[str, Any], operands: object) -> str:
        tasks.append(", ".join(runs))
        return choice

    monkeypatch.setattr(training, "_CHOSEN", {})
    monkeypatch.setattr(training, "_quickest", choose)
    torch.manual_seed(0)
    return TunedConv2d.of(nn.Conv2d(16, 32, 3, padding=1)), tasks


@pytest.mark.parametrize("choice", ["torch", "f_2_2_3_3", "f_6_6_3_3"])
def test_a_tuned_convolution_has_the_gradients_of_torch(
    monkeypatch: pytest.MonkeyPatch, choice: str
) -> None:
    conv, tasks = tuned(monkeypatch, choice)
    x = normal(2, 16, 9, 8).requires_grad_()
    out, gradient, for_x, for_weight = in_float64(x.detach(), conv.weight, (1, 1), conv.bias)
    for _ in range(2):
        x.grad = None
        conv.zero_grad()
        made = conv(x)
        torch.autograd.backward(made, gradient)
        assert distance(made, out) < BOUND
        for_bias = gradient.double().sum((0, 2, 3))
        expected = ((x, for_x), (conv.weight, for_weight), (conv.bias, for_bias))
        for leaf, reference in expected:
            assert leaf is not None
            assert leaf.grad is not None
            assert distance(leaf.grad, reference) < BOUND
    assert tasks == ["torch, f_2_2_3_3, f_4_4_3_3, f_6_6_3_3"] * 3  # once a task, not once a step


@pytest.mark.parametrize("choice", ["torch", "f_2_2_3_3", "f_6_6_3_3", "tiles"])
@pytest.mark.parametrize("dtype", [FLOAT, SHORT_FLOAT])
def test_under_autocast_it_reads_and_writes_bfloat16(
    monkeypatch: pytest.MonkeyPatch, choice: str, dtype: torch.dtype
) -> None:
    library = load_library()
    if choice == "tiles" and not library.has_tiles:
        pytest.skip("this processor has no matrix tiles")
    monkeypatch.setattr(library, "has_tiles", choice == "tiles")
    conv, tasks = tuned(monkeypatch, choice)
    x = normal(2, 16, 9, 8).bfloat16().to(dtype).requires_grad_()
    with torch.no_grad():  # so that what PyTorch rounds is what it is
        for parameter in conv.parameters():
            parameter.copy_(parameter.bfloat16())
    out, gradient, for_x, for_weight = in_float64(x, conv.weight, (1, 1), conv.bias, SHORT_FLOAT)
    with torch.autocast("cpu", torch.bfloat16):
        made = conv(x)
    assert made.dtype == torch.bfloat16
    assert distance(made, out) < ROUNDED
    torch.autograd.backward(made, gradient)
    for_bias = gradient.double().sum((0, 2, 3))
    expected = ((x, for_x), (conv.weight, for_weight), (conv.bias, for_bias))
    for leaf, reference in expected:
        assert leaf is not None
        assert leaf.grad is not None
        assert leaf.grad.dtype == leaf.dtype
        assert distance(leaf.grad, reference) < ROUNDED
    assert len(tasks) == 3


def test_elsewhere_it_is_an_ordinary_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    conv, tasks = tuned(monkeypatch, "f_2_2_3_3")
    x = normal(1, 16, 9, 8)
    with torch.autocast("cpu", torch.float16):
        assert conv(x).dtype == torch.float16
    image = x[0]
    assert conv(image).shape == (32, 9, 8)
    compiled = torch.compile(conv, backend="eager", fullgraph=True)
    assert torch.equal(compiled(x), F.conv2d(x, conv.weight, conv.bias, padding=1))
    assert conv.double()(x.double()).dtype == torch.float64
    assert tasks == []


def test_frozen_weights_and_images_get_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    conv, tasks = tuned(monkeypatch, "f_4_4_3_3")
    conv.requires_grad_(False)
    x = normal(1, 16, 9, 8).requires_grad_()
    torch.autograd.backward(conv(x).sum())
    assert x.grad is not None
    assert conv.weight.grad is None
    assert len(tasks) == 2  # forward, input


def test_a_second_gradient_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    conv, _ = tuned(monkeypatch, "f_2_2_3_3")
    x = normal(1, 16, 9, 8).requires_grad_()
    (first,) = torch.autograd.grad(conv(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        torch.autograd.backward(first.sum())


NET = """
network: net
input: {image: [3, 19, 17]}
defaults: {conv: {norm: batch_norm, activation: relu}}
layers:
  - {conv: 3x3, filters: 32}
  - branches:
      pool: [{avg_pool: 3x3, stride: 1, padding: same}, {conv: 1x1, filters: 16}]
      deep: [{conv: 1x1, filters: 16}, {conv: 1x7, filters: 32}, {conv: 7x1, filters: 32}]
      wide: [{conv: 3x3, filters: 48}]
    join: concat
    name: mixed
  - global_avg_pool
  - {linear: 5}
"""


def test_a_network_trains_as_it_would_without() -> None:
    module = build_module(graph_of(NET))
    x = normal(3, 3, 19, 17)
    randomize(module, 0, x)
    own = optimize(module)
    plain = build_module(graph_of(NET)).double().train()
    plain.load_state_dict(module.state_dict())
    short = own.for_training()
    swapped = [name for name, m in short.named_modules() if isinstance(m, TunedConv2d)]
    assert len(swapped) == (5 if load_library().has_tiles else 3)  # the first has 3 channels
    assert not any(isinstance(m, TunedConv2d) for m in own.for_training(native=False).modules())
    for network, image in ((plain, x.double()), (short, x)):
        loss = F.cross_entropy(network(image), torch.tensor([0, 3, 1]))
        torch.autograd.backward(loss)
    reference = dict(plain.named_parameters())
    for name, parameter in short.named_parameters():
        assert parameter.grad is not None
        wanted = reference[name].grad
        assert wanted is not None
        assert distance(parameter.grad, wanted) < 2e-4, name
    for name, buffer in short.named_buffers():
        torch.testing.assert_close(
            buffer.double(), plain.get_buffer(name).double(), atol=1e-4, rtol=1e-4
        )


def test_under_autocast_gradients_are_as_near_as_those_of_torch() -> None:
    module = build_module(graph_of(NET))
    x = normal(3, 3, 19, 17).contiguous(memory_format=CHANNELS_LAST)
    randomize(module, 0, x)
    own = optimize(module)
    plain = build_module(graph_of(NET)).double().train()
    plain.load_state_dict(module.state_dict())
    networks = {"native": own.for_training(), "torch": own.for_training(native=False)}
    target = torch.tensor([0, 3, 1])
    torch.autograd.backward(F.cross_entropy(plain(x.double()), target))
    for network in networks.values():
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.cross_entropy(network(x).float(), target)
        torch.autograd.backward(loss)
    reference = {name: p.grad for name, p in plain.named_parameters()}
    for name, wanted in reference.items():
        assert wanted is not None
        off = {side: net.get_parameter(name).grad for side, net in networks.items()}
        ours, theirs = (relative(made, wanted) for made in off.values())
        assert ours < 1.5 * theirs + 0.01, name


def relative(made: Tensor | None, wanted: Tensor) -> float:
    """Return the length of the difference, of the length of what is wanted."""
    assert made is not None
    return float((made.double() - wanted).norm() / wanted.norm())


def test_without_a_compiler_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise BackendError("there is no compiler")

    training._has_kernels.cache_clear()
    monkeypatch.setattr(training, "load_library", refuse)
    module = nn.Sequential(nn.Conv2d(16, 16, 3))
    use_native_kernels(module)
    training._has_kernels.cache_clear()
    assert type(module[0]) is nn.Conv2d
