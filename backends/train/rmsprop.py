"""RMSProp as TensorFlow computes it, which the paper was trained with; PyTorch's differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class RMSpropTF(Optimizer):
    """RMSProp with a mean square that starts at one, and epsilon under the root.

    For the gradient g of a parameter p, weight decay included (tf.train.RMSPropOptimizer; Tieleman
    and Hinton 2012)::

        square = decay * square + (1 - decay) * g * g      # 1 before the first step
        step = momentum * step + rate * g / sqrt(square + epsilon)
        p = p - step

    `torch.optim.RMSprop` starts at zero, adds epsilon to the root, and multiplies by the rate of
    today what momentum kept of yesterday. With an epsilon of 1 that is another optimiser.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        *,
        decay: float = 0.9,
        epsilon: float = 1.0,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        settings = {"decay": decay, "epsilon": epsilon, "momentum": momentum}
        super().__init__(params, {"lr": lr, **settings, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step; a closure computes the loss anew and is returned as in torch."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step(group)
        return loss

    def _step(self, group: dict[str, Any]) -> None:
        params = [p for p in group["params"] if p.grad is not None]
        if not params:
            return
        gradients: Any = [p.grad for p in params]
        if group["weight_decay"]:
            gradients = torch._foreach_add(gradients, params, alpha=group["weight_decay"])
        states = [self._state(p) for p in params]
        squares, steps = [s["square"] for s in states], [s["step"] for s in states]
        torch._foreach_mul_(squares, group["decay"])
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - group["decay"])
        roots = torch._foreach_add(squares, group["epsilon"])
        torch._foreach_sqrt_(roots)
        torch._foreach_mul_(steps, group["momentum"])
        torch._foreach_addcdiv_(steps, gradients, roots, group["lr"])
        torch._foreach_sub_(params, steps)

    def _state(self, parameter: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[parameter]
        if not state:
            state["square"] = torch.ones_like(parameter)
            state["step"] = torch.zeros_like(parameter)
        return state
