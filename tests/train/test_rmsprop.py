"""RMSProp as TensorFlow has it: by hand, and where it differs from PyTorch's."""

from __future__ import annotations

from math import sqrt

import pytest
import torch

from backends.train.rmsprop import RMSpropTF


def steps(optimizer: torch.optim.Optimizer, values: torch.Tensor, gradients: list[float]) -> float:
    for gradient in gradients:
        values.grad = torch.full_like(values, gradient)
        optimizer.step()
    return values.item()


def test_two_steps_by_hand() -> None:
    """Decay 0.9, epsilon 1, momentum 0.9, as the paper has them; the rate is 0.1."""
    value = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    found = steps(RMSpropTF([value], 0.1, momentum=0.9), value, [3.0, -1.0])
    first = 0.1 * 3 / sqrt(0.9 * 1 + 0.1 * 9 + 1)
    second = 0.9 * first + 0.1 * -1 / sqrt(0.9 * 1.8 + 0.1 * 1 + 1)
    assert found == pytest.approx(2 - first - second, abs=1e-15)


def test_weight_decay_is_a_part_of_the_gradient() -> None:
    value = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    found = steps(RMSpropTF([value], 0.1, weight_decay=0.5), value, [3.0])
    assert found == pytest.approx(2 - 0.1 * 4 / sqrt(0.9 + 0.1 * 16 + 1), abs=1e-15)


def test_a_change_of_the_rate_leaves_the_momentum_that_there_is() -> None:
    value = torch.tensor([0.0], dtype=torch.float64, requires_grad=True)
    optimizer = RMSpropTF([value], 0.1, momentum=0.5)
    first = steps(optimizer, value, [1.0])
    optimizer.param_groups[0]["lr"] = 0.0
    assert steps(optimizer, value, [1.0]) == pytest.approx(first * 1.5, abs=1e-15)


def test_pytorch_s_is_another_one() -> None:
    values = [torch.tensor([2.0], requires_grad=True) for _ in range(2)]
    mine = steps(RMSpropTF([values[0]], 0.1), values[0], [3.0])
    theirs = steps(torch.optim.RMSprop([values[1]], 0.1, alpha=0.9, eps=1.0), values[1], [3.0])
    assert 2 - mine == pytest.approx(0.3 / sqrt(2.8))
    assert 2 - theirs == pytest.approx(0.3 / (sqrt(0.9) + 1))


def test_parameters_without_gradient_stay() -> None:
    value = torch.tensor([2.0], requires_grad=True)
    RMSpropTF([value], 0.1).step()
    assert value.item() == 2
