"""Residual sums with their ReLU in training, against PyTorch in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from backends.native import residual
from backends.native.training.residual_sum import ResidualSum
from tests.native.training_values import (
    CHANNELS_LAST,
    FLOAT,
    NEEDS_COMPILER,
    SHORT_FLOAT,
    distance,
    normal,
)

pytestmark = NEEDS_COMPILER


@pytest.mark.parametrize("dtype", [FLOAT, SHORT_FLOAT])
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("shape", [(1, 16, 1, 1), (3, 80, 17, 13)])
def test_a_residual_sum_and_its_gradients(
    shape: tuple[int, ...], relu: bool, dtype: torch.dtype
) -> None:
    leaves = [
        normal(*shape, seed=i).to(dtype).contiguous(memory_format=CHANNELS_LAST).requires_grad_()
        for i in range(2)
    ]
    exact = [leaf.detach().double().requires_grad_() for leaf in leaves]
    made = ResidualSum(0.17, relu)(*leaves)
    wanted = exact[0] + 0.17 * exact[1]
    wanted = wanted.relu() if relu else wanted
    gradient = normal(shape[0], 2 * shape[1], *shape[2:], seed=2).to(dtype)
    part = gradient.contiguous(memory_format=CHANNELS_LAST)[:, shape[1] :]  # as of a concat
    torch.autograd.backward(made if relu else made.mul_(1), part)
    torch.autograd.backward(wanted, part.double())
    bound = 2e-7 if dtype == FLOAT else 2**-8
    assert made.dtype == dtype
    assert distance(made, wanted) < bound
    for leaf, reference in zip(leaves, exact, strict=True):
        assert distance(leaf.grad, reference.grad) < bound


@pytest.mark.parametrize(
    ("shortcut", "branch"),
    [
        (normal(1, 16, 3, 2), normal(1, 16, 3, 2)),  # channels first
        (normal(1, 3, 3, 3).contiguous(memory_format=CHANNELS_LAST),) * 2,
        (normal(1, 16, 3, 2).contiguous(memory_format=CHANNELS_LAST), torch.tensor(2.0)),
        (normal(2, 16), normal(2, 16)),
    ],
    ids=["channels first", "odd channels", "broadcast", "rows"],
)
def test_elsewhere_a_sum_is_that_of_torch(
    shortcut: Tensor, branch: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(residual, "forward", None)
    assert torch.equal(ResidualSum(0.5, True)(shortcut, branch), F.relu(shortcut + 0.5 * branch))
