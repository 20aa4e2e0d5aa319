"""The running average of what a network learns, which evaluation may use in its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor


class Average:
    """Running averages of the floating-point parameters and statistics of a module.

    The decay of a step is `min(decay, (1 + steps) / (10 + steps))`, so that the first steps do not
    hold on to what the weights were before (`num_updates` of TensorFlow's
    ExponentialMovingAverage, which the authors' `inception_train.py` gives).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.live = {n: t for n, t in _tensors(module).items() if t.is_floating_point()}
        self.values = {name: tensor.detach().clone() for name, tensor in self.live.items()}

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """Take in the values after a step; `steps` is how many there were before it."""
        share = 1 - min(self.decay, (1 + steps) / (10 + steps))
        for is_split in (False, True):  # sharded parameters and whole statistics do not mix
            names = [n for n, t in self.live.items() if isinstance(t, DTensor) == is_split]
            if names:
                theirs = [self.live[name].detach() for name in names]
                torch._foreach_lerp_([self.values[name] for name in names], theirs, share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have the module compute with the averages for a while."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, tensor in self.live.items():
            kept = tensor.detach().clone()
            tensor.copy_(self.values[name])
            self.values[name].copy_(kept)

    @torch.no_grad()
    def load(self, values: Mapping[str, Tensor]) -> None:
        """Take averages that were saved."""
        for name, value in values.items():
            self.values[name].copy_(value)


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}
