"""Blocks of a training step: siblings as one convolution, residual sums in one go."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backends.native import norm, residual
from backends.native.training.conv2d import TunedConv2d
from backends.native.training.norm2d import NativeNorm2d
from backends.native.training.residual_sum import ResidualSum
from backends.native.training.siblings import Siblings
from backends.run.optimized import optimize
from backends.state.unit_scale import randomize
from backends.torch.module import build_module
from backends.torch.module import graph_of as graph_in
from tests.native.training_values import (
    BOUND,
    CHANNELS_LAST,
    FLOAT,
    NEEDS_COMPILER,
    ROUNDED,
    SHORT_FLOAT,
    distance,
    normal,
    relative,
)
from tests.passes.random_specs import graph_of

pytestmark = NEEDS_COMPILER

RESIDUAL = """
  - residual:
      body:
        - branches:
            one_$: [{conv: 1x1, filters: 16}]
            two_$: [{conv: 1x1, filters: 16}, {conv: 3x3, filters: 16}]
          join: concat
        - {conv: 1x1, filters: 32, norm: none, activation: none, bias: true}
      scale: 0.3
      activation: relu
"""
NET = f"""
network: net
input: {{image: [3, 15, 13]}}
defaults: {{conv: {{norm: batch_norm, activation: relu}}}}
layers:
  - {{conv: 3x3, filters: 32}}
{RESIDUAL.replace("$", "a")}
{RESIDUAL.replace("$", "b")}
  - branches:
      pool: [{{avg_pool: 3x3, stride: 1, padding: same}}, {{conv: 1x1, filters: 16}}]
      one: [{{conv: 1x1, filters: 16}}]
      bare: [{{conv: 1x1, filters: 16, norm: none, activation: relu, bias: false}}]
    join: concat
  - global_avg_pool
  - {{linear: 5}}
"""


AUXILIARY = """
  - {linear: 5, from: global_avg_pool, name: aux}
outputs: [logits, {name: aux, from: aux, training_only: true}]
"""


def module_of(text: str, *size: int) -> nn.Module:
    module = build_module(graph_of(text))
    randomize(module, 0, normal(4, *size))
    return module


@pytest.fixture(scope="module")
def module() -> nn.Module:
    return module_of(NET, 3, 15, 13)


def joined(network: nn.Module) -> list[str]:
    return [str(m) for m in network.modules() if isinstance(m, Siblings | ResidualSum)]


def test_what_is_joined(module: nn.Module) -> None:
    made = optimize(module).for_training()
    assert joined(made) == [
        "Siblings(16 + 16)", "Siblings(16 + 16)", "Siblings(16 + 16 + 16)",
        "ResidualSum(scale=0.3, relu=True)", "ResidualSum(scale=0.3, relu=True)",
    ]  # fmt: skip
    assert list(made.state_dict()) == list(module.state_dict())
    assert graph_in(made).name == "net"
    assert not joined(optimize(module).for_training(native=False))


def step(network: nn.Module, x: Tensor) -> Tensor:
    """Run a step's passes; return the gradient of the image."""
    image = x.clone().requires_grad_()
    loss = F.cross_entropy(network(image).to(x.dtype), torch.tensor([0, 3, 1]))
    torch.autograd.backward(loss)
    assert image.grad is not None
    return image.grad


def counted(function: Callable[..., Any], calls: list[str]) -> Callable[..., Any]:
    def call(*operands: Any) -> Any:
        calls.append(f"{function.__module__}.{function.__name__}")
        return function(*operands)

    return call


def test_a_network_of_joined_blocks_trains_as_it_would_without(
    module: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for part, name in ((norm, "backward"), (residual, "backward"), (residual, "forward")):
        monkeypatch.setattr(part, name, counted(getattr(part, name), calls))
    own = optimize(module)
    plain = build_module(own.plain).double().train()
    plain.load_state_dict(module.state_dict())
    made = own.for_training()
    x = normal(3, 3, 15, 13).contiguous(memory_format=CHANNELS_LAST)
    assert distance(step(made, x), step(plain, x.double())) < 2e-4
    wanted = dict(plain.named_parameters())
    for name, parameter in made.named_parameters():
        assert distance(parameter.grad, wanted[name].grad) < 2e-4, name
    for name, buffer in made.named_buffers():
        torch.testing.assert_close(
            buffer.double(), plain.get_buffer(name).double(), atol=1e-5, rtol=1e-5
        )
    assert calls.count("backends.native.residual.forward") == 2
    assert calls.count("backends.native.residual.backward") == 2
    assert calls.count("backends.native.norm.backward") == 9


@pytest.mark.parametrize("how", ["copied", "stored", "in evaluation", "compiled", "in float64"])
def test_joined_blocks_can_be_taken_anywhere(how: str, module: nn.Module) -> None:
    made: Any = optimize(module).for_training()
    plain: Any = build_module(optimize(module).plain).train()
    plain.load_state_dict(module.state_dict())
    x = normal(3, 3, 15, 13).contiguous(memory_format=CHANNELS_LAST)
    if how == "copied":
        made = copy.deepcopy(made)
    elif how == "stored":
        file = io.BytesIO()
        torch.save(made, file)
        file.seek(0)
        made = torch.load(file, weights_only=False)
    elif how == "in evaluation":
        made.eval()
        plain.eval()
    elif how == "compiled":
        made = torch.compile(made, backend="eager", fullgraph=True)
    else:
        made, plain, x = made.double(), plain.double(), x.double()
    torch.testing.assert_close(made(x), plain(x), atol=1e-5, rtol=1e-4)
    step(made, x)
    assert all(p.grad is not None for p in made.parameters()), "copies have layers of their own"


def test_a_block_that_asks_whether_it_trains_stays() -> None:
    text = NET.replace("{linear: 5}", "{linear: 5, name: logits}") + AUXILIARY
    made = optimize(module_of(text, 3, 15, 13)).for_training()
    assert joined(made) == []  # they all stand in the network itself
    x = normal(2, 3, 15, 13)
    assert made(x)._fields == ("logits", "aux")
    assert isinstance(made.eval()(x), Tensor)


def layers(bias: bool) -> tuple[list[Any], list[Any]]:
    """Return siblings (one without a normalisation), and the same layers for float64."""
    torch.manual_seed(1)
    convs = [TunedConv2d.of(nn.Conv2d(32, c, 1, bias=bias)) for c in (16, 48, 32)]
    norms = [NativeNorm2d.of(nn.BatchNorm2d(16, eps=1e-3), True), None,
             NativeNorm2d.of(nn.BatchNorm2d(32, eps=1e-3), False)]  # fmt: skip
    for layer in norms:
        if layer is not None:
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
    ours = list(zip(convs, norms, strict=True))
    return ours, copy.deepcopy(ours)


def reference(layers: list[Any], x: Tensor) -> list[Tensor]:
    """Return what siblings make, by PyTorch in float64, one after the other."""
    made = []
    for conv, layer in layers:
        out = F.conv2d(x, conv.weight, conv.bias)
        if layer is not None:
            out = F.batch_norm(out, None, None, layer.weight, layer.bias, True, eps=layer.eps)
            out = out.relu() if layer.relu else out
        made.append(out)
    return made


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", [FLOAT, SHORT_FLOAT])
def test_siblings_have_the_values_and_gradients_of_their_layers(
    dtype: torch.dtype, bias: bool
) -> None:
    ours, theirs = layers(bias)
    siblings = Siblings(ours)
    with torch.no_grad():  # so that what is rounded is what it is
        for conv, _ in (*ours, *theirs):
            for parameter in conv.parameters():
                parameter.copy_(parameter.to(dtype))
    for layer in (layer for pair in theirs for layer in pair if layer is not None):
        layer.double()
    image = normal(3, 32, 7, 5).to(dtype).contiguous(memory_format=CHANNELS_LAST)
    x, exact = image.clone().requires_grad_(), image.double().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == SHORT_FLOAT):
        made = siblings(x)
    wanted = reference(theirs, exact)
    gradients = [normal(*out.shape, seed=i).to(dtype) for i, out in enumerate(wanted)]
    for out, expected in zip(made, wanted, strict=True):
        assert out.is_contiguous(memory_format=CHANNELS_LAST)
        assert out.dtype == dtype
        # In bfloat16 rounded before the norm, which may stretch that, and after it.
        assert distance(out, expected) < (BOUND if dtype == FLOAT else 3 * ROUNDED)
    torch.autograd.backward([out.mul_(1) for out in made], gradients)
    torch.autograd.backward(wanted, [g.double() for g in gradients])
    assert x.grad is not None
    assert exact.grad is not None
    # By length, for in bfloat16 a ReLU's mask differs where its input is near zero.
    bound = BOUND if dtype == FLOAT else 2**-6
    assert relative(x.grad, exact.grad) < bound
    for (conv, layer), (other, its) in zip(ours, theirs, strict=True):
        pairs = [(conv.weight.grad, other.weight.grad)]
        if layer is not None:  # it takes away what a bias before it adds
            pairs += [(layer.weight.grad, its.weight.grad), (layer.bias.grad, its.bias.grad)]
        elif bias:
            pairs += [(conv.bias.grad, other.bias.grad)]
        for own, wanted_gradient in pairs:
            assert relative(own, wanted_gradient) < bound


def test_an_output_that_nothing_reads_and_frozen_layers() -> None:
    ours, theirs = layers(bias=False)
    ours[0][0].weight.requires_grad_(False)
    siblings = Siblings(ours)
    x = normal(2, 32, 5, 5).contiguous(memory_format=CHANNELS_LAST).requires_grad_()
    exact = x.detach().double().requires_grad_()
    for conv, layer in theirs:
        conv.double()
        if layer is not None:
            layer.double()
    torch.autograd.backward(siblings(x)[1].sum())
    torch.autograd.backward(reference(theirs, exact)[1].sum())
    assert distance(x.grad, exact.grad) < BOUND
    assert ours[0][0].weight.grad is None
    assert torch.equal(ours[2][0].weight.grad, torch.zeros_like(ours[2][0].weight))


def test_with_a_frozen_normalisation_layers_are_called_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, _ = layers(bias=False)
    siblings = Siblings(ours)
    ours[0][1].eval()
    convolved: list[torch.Size] = []
    real = TunedConv2d._conv_forward

    def count(self: TunedConv2d, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        convolved.append(weight.shape)
        return real(self, x, weight, bias)

    monkeypatch.setattr(TunedConv2d, "_conv_forward", count)
    x = normal(2, 32, 5, 5).contiguous(memory_format=CHANNELS_LAST)
    first, *_ = siblings(x)
    assert [shape[0] for shape in convolved] == [16, 48, 32]
    torch.testing.assert_close(first, ours[0][1](ours[0][0](x)))


def test_one_value_per_channel_is_refused_as_by_torch() -> None:
    ours, _ = layers(bias=False)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        Siblings(ours)(normal(1, 32, 1, 1))
