"""Pictures -> parts of steps: inputs and labels, read by workers, each with chances of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from backends.train.order import Key, Order, seed_of
from backends.train.pictures import Pictures
from backends.train.transforms import Transform
from compiler.errors import UsageError

Part = tuple[Tensor, Tensor]
"""Inputs (N, C, H, W) and the numbers of their classes (N,)."""


class Examples(Dataset[Any]):
    """Pictures as inputs, by epoch and place; what is drawn for one depends on nothing else."""

    def __init__(self, pictures: Pictures, transform: Transform, seed: int) -> None:
        self.pictures, self.transform, self.seed = pictures, transform, seed

    def __getitem__(self, key: Key) -> tuple[Tensor, int] | UsageError:
        """Return an input and its class, or what is wrong with the picture.

        An error that a worker raises would come with the worker's traceback.
        """
        epoch, index = key
        # This generator alone: `torch.manual_seed` would ask for a GPU's too, a hundred times
        # as slow, in a process that has none.
        torch.default_generator.manual_seed(seed_of(self.seed, epoch, index))
        try:
            picture = self.pictures.read(index)
        except UsageError as error:
            return error
        try:
            return self.transform(picture), self.pictures.labels[index]
        except UsageError as error:
            return UsageError(f"{self.pictures.name(index)}: {error}")


def _together(items: Sequence[tuple[Tensor, int] | UsageError]) -> Part | UsageError:
    good: list[tuple[Tensor, int]] = []
    for item in items:
        if isinstance(item, UsageError):
            return item
        good.append(item)
    return torch.stack([x for x, _ in good]), torch.tensor([label for _, label in good])


class _Parts:
    """The parts of a process as a sampler of batches."""

    def __init__(self, parts: Iterator[list[Key]]) -> None:
        self.parts = parts

    def __iter__(self) -> Iterator[list[Key]]:
        return self.parts


def _load(
    examples: Examples, parts: Iterator[list[Key]], workers: int, *, pinned: bool
) -> Iterator[Part]:
    sampler: Any = _Parts(parts)
    loader = DataLoader(
        examples,
        batch_sampler=sampler,
        num_workers=workers,
        collate_fn=_together,
        pin_memory=pinned,
    )
    for part in loader:
        if isinstance(part, UsageError):
            raise part
        yield part


def training_parts(
    examples: Examples,
    order: Order,
    steps: tuple[int, int],
    process: int = 0,
    *,
    workers: int = 0,
    pinned: bool = False,
) -> Iterator[Part]:
    """Yield the parts of a process from the first of `steps` up to the second.

    Raises:
        UsageError: a picture cannot be read.
    """
    parts = order.from_step(steps[0], process, steps[1])
    yield from _load(examples, parts, workers, pinned=pinned)


def evaluation_parts(
    examples: Examples,
    size: int,
    process: int = 0,
    processes: int = 1,
    *,
    workers: int = 0,
    pinned: bool = False,
) -> Iterator[Part]:
    """Yield every picture of a process's share once; shares differ by at most one picture.

    Raises:
        UsageError: a picture cannot be read.
    """
    own = range(process, len(examples.pictures), processes)
    parts = ([(0, index) for index in own[at : at + size]] for at in range(0, len(own), size))
    yield from _load(examples, parts, workers, pinned=pinned)
