"""Batch normalisation with its ReLU in training, against PyTorch's in float64."""

from __future__ import annotations

import copy
import io

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backends.native import norm
from backends.native.training.norm2d import NativeNorm2d, may_be_native
from backends.native.training.replace_layers import replace_layers
from backends.run.optimized import optimize
from backends.state.unit_scale import randomize
from backends.torch.module import build_module
from tests.native.training_values import (
    CHANNELS_LAST,
    FLOAT,
    NEEDS_COMPILER,
    SHORT_FLOAT,
    distance,
    normal,
)
from tests.passes.random_specs import graph_of

pytestmark = NEEDS_COMPILER
SUMS = 2e-5
"""Of the largest value: what sums of float32 over some hundred pixels lose."""
ROUNDED = 2**-8 + SUMS
"""Of the largest value: as for convolutions, with what sums lose."""


def layer_of(channels: int, relu: bool) -> NativeNorm2d:
    layer = nn.BatchNorm2d(channels, eps=1e-3, momentum=0.3)
    with torch.no_grad():
        layer.weight.copy_(normal(channels, seed=1).abs() + 0.5)
        layer.bias.copy_(normal(channels, seed=2))
    assert layer.running_mean is not None
    layer.running_mean.copy_(normal(channels, seed=3))
    return NativeNorm2d.of(layer, relu)


@pytest.mark.parametrize("dtype", [FLOAT, SHORT_FLOAT])
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize(
    ("shape", "offset"), [((2, 16, 5, 3), 0.0), ((3, 80, 17, 17), 100.0), ((1, 144, 2, 1), 1.0)]
)
def test_values_gradients_and_statistics(
    dtype: torch.dtype, relu: bool, shape: tuple[int, ...], offset: float
) -> None:
    layer = layer_of(shape[1], relu)
    plain = nn.BatchNorm2d(shape[1], eps=1e-3, momentum=0.3).double()
    plain.load_state_dict(layer.state_dict())
    image = (normal(*shape) + offset).to(dtype).contiguous(memory_format=CHANNELS_LAST)
    x, wanted_x = image.clone().requires_grad_(), image.double().requires_grad_()
    made, wanted = layer(x), plain(wanted_x)
    wanted = F.relu(wanted) if relu else wanted
    gradient = normal(*shape, seed=4).to(dtype)
    torch.autograd.backward(made, gradient)
    torch.autograd.backward(wanted, gradient.double())
    bound = SUMS if dtype == FLOAT else ROUNDED
    assert made.dtype == dtype
    assert made.is_contiguous(memory_format=CHANNELS_LAST)
    assert distance(made, wanted) < bound
    assert distance(x.grad, wanted_x.grad) < bound
    assert distance(layer.weight.grad, plain.weight.grad) < SUMS
    assert distance(layer.bias.grad, plain.bias.grad) < SUMS
    assert distance(layer.running_mean, plain.running_mean) < 1e-6
    assert distance(layer.running_var, plain.running_var) < SUMS
    assert layer.num_batches_tracked == plain.num_batches_tracked == 1


def test_a_slice_is_read_where_it_lies_and_so_is_its_gradient() -> None:
    whole = normal(2, 80, 7, 9).contiguous(memory_format=CHANNELS_LAST)
    grad = normal(2, 64, 7, 9, seed=1).contiguous(memory_format=CHANNELS_LAST)
    layer = layer_of(32, relu=True)
    made = []
    for x, g in (
        (whole[:, 16:48], grad[:, 32:]),
        (whole[:, 16:48].contiguous(memory_format=CHANNELS_LAST), grad[:, 32:].contiguous()),
    ):
        leaf = x.detach().requires_grad_()
        out = layer(leaf)
        torch.autograd.backward(out, g)
        assert leaf.grad is not None
        made.append((out, leaf.grad))
    assert torch.equal(made[0][0], made[1][0])
    assert torch.equal(made[0][1], made[1][1])


def test_threads_and_parts_change_nothing_but_the_last_digits() -> None:
    x = normal(4, 32, 40, 40).contiguous(memory_format=CHANNELS_LAST)
    made = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        made.append(layer_of(32, relu=True)(x).detach())
    torch.set_num_threads(1)
    for other in made[1:]:
        torch.testing.assert_close(other, made[0], atol=1e-5, rtol=1e-5)


def test_a_channel_that_never_changes() -> None:
    x = torch.full((2, 16, 3, 3), 7.0).contiguous(memory_format=CHANNELS_LAST).requires_grad_()
    layer = layer_of(16, relu=False)
    out = layer(x)
    torch.autograd.backward(out, torch.ones_like(out))
    wanted = layer.bias.view(1, -1, 1, 1).expand_as(out)
    torch.testing.assert_close(out, wanted, atol=1e-4, rtol=0)  # 7 / sqrt(1e-3) was subtracted
    assert x.grad is not None
    assert torch.equal(x.grad, torch.zeros_like(x))


@pytest.mark.parametrize(
    "x",
    [
        normal(2, 16, 4, 5),
        normal(2, 16, 4, 5).contiguous(memory_format=CHANNELS_LAST).half(),
        normal(16, 16, 1, 1)[:1].contiguous(memory_format=CHANNELS_LAST),
    ],
    ids=["channels first", "float16", "one value"],
)
def test_elsewhere_it_is_the_two_layers(x: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(norm, "forward", None)
    layer = layer_of(16, relu=True)
    plain = nn.Sequential(nn.BatchNorm2d(16, eps=1e-3, momentum=0.3), nn.ReLU())
    plain[0].load_state_dict(layer.state_dict())
    if x.numel() == 16:
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            layer(x)
    else:
        assert torch.equal(layer(x), plain(x))
    layer.eval()
    plain.eval()
    image = normal(1, 16, 2, 2).contiguous(memory_format=CHANNELS_LAST)
    assert torch.equal(layer(image), plain(image))
    compiled = torch.compile(layer.train(), backend="eager", fullgraph=True)
    assert torch.equal(compiled(image), plain.train()(image))


def test_which_normalisations_it_stands_for() -> None:
    assert may_be_native(nn.BatchNorm2d(16))
    assert not may_be_native(nn.BatchNorm2d(16, affine=False))
    assert not may_be_native(nn.BatchNorm2d(16, track_running_stats=False))
    assert not may_be_native(nn.BatchNorm2d(16, momentum=None))
    assert not may_be_native(nn.BatchNorm1d(16))


def test_it_takes_the_relu_that_follows_and_no_other() -> None:
    module = nn.Sequential(
        nn.BatchNorm2d(16), nn.ReLU(), nn.BatchNorm2d(16), nn.Sigmoid(), nn.ReLU()
    )
    names = list(module.state_dict())
    x = normal(2, 16, 4, 4).contiguous(memory_format=CHANNELS_LAST)
    wanted = copy.deepcopy(module)(x)
    replace_layers(module)
    assert [type(m).__name__ for m in module] == [
        "NativeNorm2d", "Identity", "NativeNorm2d", "Sigmoid", "ReLU",
    ]  # fmt: skip
    assert "relu=True" in repr(module[0])
    assert "relu=False" in repr(module[2])
    assert list(module.state_dict()) == names
    torch.testing.assert_close(copy.deepcopy(module)(x), wanted, atol=1e-5, rtol=1e-5)
    stored = io.BytesIO()
    torch.save(module, stored)
    stored.seek(0)
    again = torch.load(stored, weights_only=False)
    torch.testing.assert_close(again(x), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("activation", "takes"), [("relu", True), ("gelu", False), ("none", False)]
)
def test_a_shared_norm_takes_the_relu_that_every_layer_has(activation: str, takes: bool) -> None:
    graph = graph_of(f"""
network: net
input: {{image: [16, 6, 5]}}
layers:
  - {{conv: 3x3, filters: 16, norm: batch_norm, activation: relu, name: a}}
  - {{conv: 3x3, filters: 16, norm: batch_norm, activation: {activation}, name: b, share: a}}
""")
    plain = build_module(graph)
    randomize(plain)
    module = optimize(plain).for_training()
    assert [m.relu for m in module.modules() if isinstance(m, NativeNorm2d)] == [takes]
    x = normal(2, 16, 6, 5)
    wanted = plain.train()(x)
    torch.testing.assert_close(module(x), wanted, atol=1e-4, rtol=1e-4)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(module.state_dict()[name], value, atol=1e-4, rtol=1e-4)
    module.eval()
    torch.testing.assert_close(module(x), plain.eval()(x), atol=1e-4, rtol=1e-4)
