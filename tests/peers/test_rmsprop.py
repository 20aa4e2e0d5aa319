"""RMSProp beside timm's RMSpropTF, which repeats TensorFlow's."""

from __future__ import annotations

import pytest
import torch

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 4e-5])
def test_a_hundred_steps_are_timm_s(momentum: float, weight_decay: float) -> None:
    from timm.optim import RMSpropTF as Theirs

    from backends.train.rmsprop import RMSpropTF

    torch.manual_seed(0)
    start = torch.randn(50, dtype=torch.float64)
    mine, theirs = (start.clone().requires_grad_() for _ in range(2))
    optimizers = (
        RMSpropTF([mine], 0.045, momentum=momentum, weight_decay=weight_decay),
        Theirs([theirs], 0.045, alpha=0.9, eps=1.0, momentum=momentum, weight_decay=weight_decay),
    )
    for step in range(100):
        gradient = torch.randn(50, dtype=torch.float64) * (1 + step % 7)
        for optimizer, value in zip(optimizers, (mine, theirs), strict=True):
            optimizer.param_groups[0]["lr"] = 0.045 * 0.94 ** (step // 20)
            value.grad = gradient.clone()
            optimizer.step()
    torch.testing.assert_close(mine, theirs, rtol=1e-13, atol=1e-13)
