"""Which pictures a step takes: a function of seed and step, so that nothing of it is saved.

The pictures of an epoch are shuffled by seed and epoch, cut into steps, and a step into parts. Part
`m * processes + r` is what process r computes as its m-th: N processes take the very parts that
one process computes one after the other. What is random in a picture or in a network is drawn from
(seed, epoch, picture) and (seed, step, part). So a training goes on exactly after a break wherever
it was, with another number of workers or processes too; the states of a stateful loader would tie
it to those that there were.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from compiler.errors import UsageError

Key = tuple[int, int]
"""An epoch, and the place of a picture among all."""


def seed_of(*numbers: int) -> int:
    """Return a seed that is drawn from numbers.

    >>> seed_of(0, 1, 2) == seed_of(0, 1, 2), seed_of(0, 1, 2) == seed_of(0, 12)
    (True, False)
    """
    return zlib.crc32(":".join(map(str, numbers)).encode())


@dataclass(frozen=True, slots=True)
class Order:
    """How pictures are shared out over steps, parts and processes."""

    pictures: int
    batch: int
    """Pictures in a step of all processes together."""
    part: int
    """Pictures that a process computes at once."""
    processes: int = 1
    seed: int = 0

    @property
    def steps(self) -> int:
        """Steps in an epoch; pictures left over wait for another epoch's order."""
        return self.pictures // self.batch

    @property
    def parts(self) -> int:
        """Parts that a process computes one after the other in a step."""
        return self.batch // (self.part * self.processes)

    def epoch(self, number: int) -> list[int]:
        """Return the pictures of an epoch in order."""
        generator = torch.Generator().manual_seed(seed_of(self.seed, number))
        order: list[int] = torch.randperm(self.pictures, generator=generator).tolist()
        return order[: self.steps * self.batch]

    def from_step(self, step: int, process: int = 0, end: int | None = None) -> Iterator[list[Key]]:
        """Yield the parts of a process, from a step of the whole training to `end`."""
        last = end if end is not None else 2**62
        while step < last:
            epoch, first = divmod(step, self.steps)
            order = self.epoch(epoch)
            until = min(self.steps, last - epoch * self.steps)
            for at in range(first, until):
                for number in range(self.parts):
                    start = at * self.batch + self.number_of(number, process) * self.part
                    yield [(epoch, index) for index in order[start : start + self.part]]
            step = epoch * self.steps + until

    def number_of(self, part: int, process: int) -> int:
        """Return the place in a step of a process's part."""
        return part * self.processes + process


def plan_order(pictures: int, batch: int, part: int | None, processes: int, seed: int) -> Order:
    """Return the order of a training.

    Args:
        pictures: how many there are.
        batch: of all processes together.
        part: pictures that a process computes at once; None: its whole share of a step.
        processes: how many take part.
        seed: of the shuffling.

    Raises:
        UsageError: a step cannot be cut so, or there are too few pictures for one.
    """
    if pictures < batch:
        raise UsageError(
            f"a step of the recipe takes {batch:,} pictures, and there are {pictures:,} for "
            "training; say --batch with fewer"
        )
    if batch % processes:
        raise UsageError(f"{batch} pictures a step cannot be shared out over {processes} processes")
    share = batch // processes
    if part is not None and share % part:
        raise UsageError(
            f"--micro-batch {part}: it does not divide the {share} pictures that a process has in "
            f"a step"
        )
    return Order(pictures, batch, part or share, processes, seed)
