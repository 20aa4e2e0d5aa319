"""One step of a training: losses of parts, gradients, and what the optimiser makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from backends.train.average import Average
from backends.train.examples import Part
from backends.train.heads import Heads
from backends.train.order import Order, seed_of
from backends.train.parameters import set_rate
from compiler.errors import UsageError
from compiler.recipe import RecipeSpec, rate_at


class Engine(Protocol):
    """What a training asks of an engine; `lightning_fabric.Fabric` is one."""

    @property
    def device(self) -> torch.device:
        """Where this process computes."""

    @property
    def global_rank(self) -> int:
        """Which of all processes this one is, from 0."""

    @property
    def world_size(self) -> int:
        """How many processes there are."""

    def backward(self, tensor: Tensor) -> None:
        """Compute gradients, and let processes share them."""

    def no_backward_sync(self, module: Any, enabled: bool) -> AbstractContextManager[None]:
        """Let gradients stay with each process for a while."""

    def clip_gradients(self, module: Any, optimizer: Any, *, max_norm: float) -> Any:
        """Scale gradients down to a norm."""

    def autocast(self) -> AbstractContextManager[None]:
        """Compute in the precision of the training."""

    def all_reduce(self, data: Any, *, reduce_op: str) -> Any:
        """Return the sum of a tensor over all processes."""


class Diverged(UsageError):
    """The loss is no number any more; the step was not taken."""


@dataclass(slots=True)
class Trainer:
    """A network with all that one step takes."""

    engine: Engine
    model: Any
    """What computes: the module as the engine wraps it."""
    module: nn.Module
    """The network itself, whose names files have."""
    optimizer: Optimizer
    """As the engine wraps it."""
    recipe: RecipeSpec
    heads: Heads
    order: Order
    average: Average | None = None
    frozen: Sequence[nn.Module] = field(default_factory=tuple)
    """Norms that stay in evaluation mode."""
    steps: int = 0
    """That were taken."""

    scaler: Any = None
    """The `torch.amp.GradScaler` that keeps the small gradients of `fp16` from vanishing."""

    is_sharded: bool = False
    """Each process holds a part of every parameter, so that all have to compute at once."""

    def __post_init__(self) -> None:
        self.set_training()

    def rate_of(self, step: int) -> float:
        """Return the learning rate of a step."""
        return rate_at(self.recipe, step, self.order.steps)

    def step(self, parts: Sequence[Part]) -> float:
        """Take one step with the parts of this process; return the mean loss of all processes.

        Raises:
            Diverged: the loss is not finite; parameters are as they were.
        """
        if not self.module.training:  # walking all layers at each step would be seen in the speed
            self.set_training()
        set_rate(self.optimizer, self.rate_of(self.steps))
        total = torch.zeros((), device=self.engine.device)
        for number, part in enumerate(parts):
            total += self._part(number, part, is_last=number == len(parts) - 1)
        if self.engine.world_size > 1:
            total = self.engine.all_reduce(total, reduce_op="sum") / self.engine.world_size
        loss = float(total)
        if loss != loss or loss in (float("inf"), float("-inf")):
            self.optimizer.zero_grad()
            raise Diverged(self._why(loss))
        if self.recipe.clip is not None:
            self.engine.clip_gradients(self.model, self.optimizer, max_norm=self.recipe.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update(self.steps)
        self.steps += 1
        return loss

    def set_training(self) -> None:
        """Go into training mode, but for norms that are frozen."""
        self.model.train()
        for norm in self.frozen:
            norm.eval()

    def _part(self, number: int, part: Part, *, is_last: bool) -> Tensor:
        """Add the gradients of one part; return its share of the loss."""
        order, engine = self.order, self.engine
        place = order.number_of(number, engine.global_rank)
        seed(engine.device, seed_of(order.seed, self.steps, place))
        inputs, labels = on_device(part, engine.device)
        with engine.no_backward_sync(self.model, enabled=not is_last):
            loss = self.heads.loss(self.model(inputs), labels) / order.parts
            engine.backward(loss)
        return loss.detach()

    def _why(self, loss: float) -> str:
        epoch = self.steps // self.order.steps + 1
        return (
            f"the loss is {loss} at step {self.steps + 1:,} (epoch {epoch}), with the learning "
            f"rate {self.rate_of(self.steps):g}; the step was not taken\n"
            "  help: a lower --rate, `warmup` or `clip` in the recipe, or residuals that are "
            "scaled down keep a training alive"
        )


def seed(device: torch.device, value: int) -> None:
    """Seed what dropout on a device draws from, and nothing that is not there."""
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.manual_seed(value)


def on_device(part: Part, device: torch.device) -> Part:
    """Return inputs, channels last as the network's kernels read them, and labels on a device."""
    inputs, labels = part
    moved = inputs.to(device, non_blocking=True, memory_format=torch.channels_last)
    return moved, labels.to(device, non_blocking=True)


@dataclass(slots=True)
class Accuracy:
    """What an evaluation found."""

    pictures: int
    top1: float
    """Share of pictures whose class is the best one."""
    top5: float
    """Share of pictures whose class is among the best five."""
    loss: float
    """Mean cross-entropy, without smoothing."""


def counts_of(scores: Tensor, labels: Tensor) -> Tensor:
    """Return pictures, right ones, those right among five, and the sum of losses: (4,), float64."""
    best = scores.topk(min(5, scores.shape[1]), dim=1).indices == labels[:, None]
    losses = torch.nn.functional.cross_entropy(scores.float(), labels, reduction="sum")
    rows = (len(labels), best[:, 0].sum(), best.sum(), losses)
    return torch.stack([torch.as_tensor(r, device=scores.device).double() for r in rows])


def accuracy_of(counts: Tensor) -> Accuracy:
    """Return shares and means of what `counts_of` counted."""
    pictures, top1, top5, loss = counts.tolist()
    return Accuracy(int(pictures), top1 / pictures, top5 / pictures, loss / pictures)
