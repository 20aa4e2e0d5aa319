"""Training with kernels of our own: which layers, which choice, and whole networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from backends.native import training
from backends.native.compiled_library import load_library
from backends.native.training import conv2d
from backends.native.training.conv2d import TunedConv2d, may_be_tuned
from backends.run.optimized import optimize
from backends.state.unit_scale import randomize
from backends.torch.module import build_module
from compiler.errors import BackendError
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
    relative,
)
from tests.passes.random_specs import graph_of

pytestmark = NEEDS_COMPILER


@pytest.mark.parametrize(
    ("changes", "without_tiles", "with_tiles"),
    [
        ({}, True, True),
        ({"kernel_size": (1, 7), "padding": (0, 3)}, True, True),
        ({"stride": 2}, False, True),
        ({"dilation": 2}, False, False),
        ({"groups": 2}, False, False),
        ({"kernel_size": 1}, True, True),
        ({"kernel_size": 1, "stride": 2}, False, True),
        ({"kernel_size": 1, "padding": 1}, False, True),
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
    without_tiles: bool,
    with_tiles: bool,
) -> None:
    arguments = {"in_channels": 16, "out_channels": 32, "kernel_size": 3, **changes}
    conv = nn.Conv2d(**arguments)
    library = load_library()
    monkeypatch.setattr(library, "has_tiles", False)
    assert may_be_tuned(conv) == without_tiles
    monkeypatch.setattr(library, "has_tiles", True)
    assert may_be_tuned(conv) == with_tiles


def tuned(monkeypatch: pytest.MonkeyPatch, choice: str) -> tuple[TunedConv2d, list[str]]:
    """Return a convolution whose every task is computed by a choice, and the tasks as they come."""
    tasks: list[str] = []

    def choose(runs: Mapping[str, Any], operands: object) -> str:
        tasks.append(", ".join(runs))
        return choice

    monkeypatch.setattr(conv2d, "_CHOSEN", {})
    monkeypatch.setattr(conv2d, "_quickest", choose)
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
        pytest.skip("this processor has no matrix tiles (AMX)")
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


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, CHANNELS_LAST])
@pytest.mark.parametrize("dtype", [FLOAT, SHORT_FLOAT])
def test_a_1x1_may_be_a_product_of_matrices(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, layout: torch.memory_format, bias: bool
) -> None:
    _, tasks = tuned(monkeypatch, "matrix")
    conv: Any = TunedConv2d.of(nn.Conv2d(16, 32, 1, bias=bias))
    conv.to(memory_format=layout)
    x = normal(2, 16, 5, 3).to(dtype).contiguous(memory_format=layout).requires_grad_()
    with torch.no_grad():  # so that what is rounded is what it is
        for parameter in conv.parameters():
            parameter.copy_(parameter.to(dtype))
    out, gradient, for_x, for_weight = in_float64(x, conv.weight, (0, 0), conv.bias, dtype)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == SHORT_FLOAT):
        made = conv(x).mul_(1)  # in place, as an nn.ReLU may come after
    torch.autograd.backward(made, gradient)
    bound = BOUND if dtype == FLOAT else ROUNDED
    assert made.dtype == dtype
    assert made.is_contiguous(memory_format=CHANNELS_LAST)
    assert distance(made, out) < bound
    assert distance(x.grad, for_x) < bound
    assert distance(conv.weight.grad, for_weight) < bound
    assert conv.weight.grad.dtype == FLOAT
    if bias:
        assert distance(conv.bias.grad, gradient.double().sum((0, 2, 3))) < bound
    assert len(tasks) == 3
    assert all(task.startswith("torch, matrix") for task in tasks)


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
    assert len(swapped) == 5  # all but the first, which has 3 channels
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


def test_without_a_compiler_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise BackendError("there is no compiler")

    monkeypatch.setattr(training, "load_library", refuse)
    module = build_module(graph_of(NET))
    randomize(module, 0, normal(3, 3, 19, 17))
    own = optimize(module)
    made = [own.for_training(), own.for_training(native=False)]
    ours, plain = ([type(m) for m in part.modules()] for part in made)
    assert ours == plain
    with pytest.raises(BackendError, match=r"^there is no compiler$"):
        own.for_training(native=True)
