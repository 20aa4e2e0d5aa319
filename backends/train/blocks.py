"""The blocks of a network: what forgets its activations, and what is split over processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from backends.train.parameters import is_norm


def blocks_of(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the children that have parameters; of a sequence the things in it."""
    for child in module.children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            yield from blocks_of(child)
        elif next(child.parameters(), None) is not None:
            yield child


def forget_activations(module: nn.Module) -> int:
    """Have each block keep its input alone and compute again what gradients take; how many do.

    Gradients are the same to the last bit, dropout included, and running statistics are updated
    once: the second computation takes those of the batch and leaves the others alone.
    """
    count = 0
    for block in blocks_of(module):
        if next(block.children(), None) is None:
            continue  # a layer alone: its input is all that it keeps
        contexts = partial(_contexts, block)
        kept: Any = partial(checkpoint, block.forward, use_reentrant=False, context_fn=contexts)
        object.__setattr__(block, "forward", kept)
        count += 1
    return count


def _contexts(block: nn.Module) -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    return nullcontext(), _statistics_at_rest(block)


@contextmanager
def _statistics_at_rest(block: nn.Module) -> Iterator[None]:
    """Have norms in training mode leave their running statistics for a while.

    They are still handed to the kernel, with a momentum of 0: what it keeps for gradients has to be
    the same as the first time.
    """
    norms: list[Any] = [layer for layer in block.modules() if is_norm(layer) and layer.training]
    kept = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, momentum, count in kept:
            norm.momentum, norm.num_batches_tracked = momentum, count
