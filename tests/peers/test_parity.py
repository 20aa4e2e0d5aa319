"""Our networks against timm, facenet-pytorch and torchvision, with the same random weights."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from backends.state.unit_scale import check_unit_scale
from tests.peers.networks import NON_SQUARE, tensors
from tests.peers.pairs import Pair, difference, image, recorded

pytestmark = pytest.mark.peers

FLOAT64, FLOAT32 = 1e-9, 1e-5


def test_every_tensor_is_used_on_both_sides(pair: Pair) -> None:
    moves = pair.match.moves
    assert [m.source for m in moves] != []
    assert {m.source for m in moves} == set(pair.theirs.state_dict())
    assert {m.name for m in moves} == set(pair.ours.state_dict())
    assert len(moves) == len(pair.theirs.state_dict()) == len(pair.ours.state_dict())
    assert (pair.match.made, pair.match.left_out) == ((), ())


def test_outputs_at_full_size(pair: Pair) -> None:
    x = image(pair.peer.full, count=1)
    with torch.inference_mode():
        pair.check("evaluation, full size", pair.ours(x), pair.theirs(x), FLOAT64)


def test_every_layer_on_a_non_square_image(pair: Pair) -> None:
    x = image(NON_SQUARE)
    layers = dict(pair.layers())
    with (
        torch.inference_mode(),
        recorded(pair.theirs, list(layers)) as theirs,
        recorded(pair.ours, list(layers.values())) as ours,
    ):
        outputs = pair.ours(x), pair.theirs(x)
    check_unit_scale(outputs[1])
    assert len(ours) == len(theirs) > 20
    for name, value in theirs.items():
        check_unit_scale(value, name)
        pair.check("evaluation, every layer", ours[layers[name]], value, FLOAT64, name)
    pair.check("evaluation, non-square", *outputs, FLOAT64)


def test_outputs_in_single_precision(pair: Pair) -> None:
    x = image(NON_SQUARE, count=1).float()
    with torch.inference_mode():
        ours = copy.deepcopy(pair.ours).float()(x)
        theirs = copy.deepcopy(pair.theirs).float()(x)
    pair.check("evaluation, float32", ours, theirs, FLOAT32)


def test_training_outputs_gradients_statistics(pair: Pair) -> None:
    x = image(pair.peer.training, seed=3)
    ours, theirs = copy.deepcopy(pair.ours).train(), copy.deepcopy(pair.theirs).train()
    out = tensors(ours(x))
    expected = list(pair.peer.outputs(theirs(x)))
    assert len(out) == len(expected)
    for mine, other in zip(out, expected, strict=True):
        check_unit_scale(other)
        pair.check("training, outputs", mine, other, FLOAT64)
    for values in (out, expected):
        total = torch.stack([_weighed(value, i) for i, value in enumerate(values)]).sum()
        torch.autograd.backward(total)
    _check_gradients(pair, ours, theirs)
    _check_statistics(pair, ours, theirs)


def test_a_swap_of_two_kernels_shows(pair: Pair) -> None:
    x = image((107, 91), count=1)
    first, second = _two_alike(pair.ours)
    with torch.inference_mode():
        expected = pair.theirs(x)
        _swap(first, second)
        try:
            found = difference(pair.ours(x), expected)
        finally:
            _swap(first, second)
    assert found > 1e-3


def _weighed(output: Tensor, seed: int) -> Tensor:
    """Return a number that depends on every element differently."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(output.shape, generator=generator, dtype=output.dtype)
    return (output * weights).sum()


def _check_gradients(pair: Pair, ours: nn.Module, theirs: nn.Module) -> None:
    parameters = dict(theirs.named_parameters())
    count = 0
    for name, mine in ours.named_parameters():
        other = parameters[pair.weights.theirs(name) or ""]
        assert mine.grad is not None
        assert other.grad is not None
        assert bool((other.grad != 0).any()), f"{name} has no gradient"
        pair.check("training, every gradient", mine.grad, other.grad, FLOAT64, name)
        count += 1
    assert count == len(parameters)


def _check_statistics(pair: Pair, ours: nn.Module, theirs: nn.Module) -> None:
    buffers, before = dict(theirs.named_buffers()), dict(pair.ours.named_buffers())
    for name, mine in ours.named_buffers():
        other = buffers[pair.weights.theirs(name) or ""]
        assert not torch.equal(mine, before[name]), f"{name} was not updated"
        pair.check("training, running statistics", mine.double(), other.double(), FLOAT64, name)


def _two_alike(module: nn.Module) -> tuple[nn.Conv2d, nn.Conv2d]:
    """Return two convolutions of the same shape that lie far apart."""
    shapes: dict[torch.Size, list[nn.Conv2d]] = {}
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            shapes.setdefault(layer.weight.shape, []).append(layer)
    alike = next(layers for layers in shapes.values() if len(layers) > 1)
    return alike[0], alike[-1]


def _swap(first: nn.Conv2d, second: nn.Conv2d) -> None:
    kept = first.weight.clone()
    first.weight.copy_(second.weight)
    second.weight.copy_(kept)
