"""Blocks that compute their activations twice: the same gradients and statistics, less memory."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from backends.torch.module import build_module
from backends.train.blocks import blocks_of, forget_activations
from compiler.pipeline import load_graph, target_graph


def module_of(name: str) -> nn.Module:
    return build_module(target_graph(load_graph(name)))


def stepped(module: nn.Module, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return gradients and statistics after two passes."""
    for seed in (0, 1):
        torch.manual_seed(seed)  # of dropout
        module(inputs).logsumexp(1).sum().backward()
    found = {n: p.grad for n, p in module.named_parameters() if p.grad is not None}
    return found | dict(module.named_buffers())


@pytest.mark.parametrize("name", ["teaching/inception_small", "teaching/inception_resnet_small"])
def test_gradients_and_statistics_are_the_same(name: str) -> None:
    inputs = torch.randn(4, 1, 28, 28)
    plain, forgetting = module_of(name), module_of(name)
    assert forget_activations(forgetting) == 6
    wanted, found = stepped(plain, inputs), stepped(forgetting, inputs)
    assert wanted.keys() == found.keys()
    assert [n for n, value in wanted.items() if not torch.equal(value, found[n])] == []


def test_a_sequence_is_opened() -> None:
    kinds = [type(block).__name__ for block in blocks_of(module_of("teaching/inception_small"))]
    assert kinds == [
        "SmallStem", "SmallInceptionA", "SmallInceptionA", "SmallReduction", "SmallInceptionB",
        "SmallInceptionB", "Linear",
    ]  # fmt: skip
