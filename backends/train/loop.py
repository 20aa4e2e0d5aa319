"""Epoch by epoch: steps, evaluation, a row of the log, a checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import torch

from backends.train import checkpoint
from backends.train.checkpoint import Progress
from backends.train.examples import Examples, Part, evaluation_parts, training_parts
from backends.train.step import Accuracy, Diverged, Trainer, accuracy_of, counts_of, on_device
from compiler.errors import UsageError


class Watcher(Protocol):
    """What is told how a training goes on."""

    def stepped(self, trainer: Trainer, loss: float) -> None:
        """A step was taken."""

    def ended(self, progress: Progress, trainer: Trainer) -> None:
        """An epoch is over; its row is the last one of the history."""


@dataclass(slots=True)
class Run:
    """A training with its pictures and its folder."""

    trainer: Trainer
    train: Examples
    val: Examples
    folder: Path
    subject: dict[str, Any]
    watcher: Watcher
    workers: int = 0
    save_every: int | None = None
    """Steps between checkpoints inside an epoch."""
    should_stop: Callable[[], bool] = lambda: False
    """Asked between steps."""
    progress: Progress = field(default_factory=Progress)
    _saved: int = 0
    """The step of the last checkpoint."""

    @property
    def last(self) -> int:
        """Steps of the whole training."""
        return self.trainer.recipe.epochs * self.trainer.order.steps

    @property
    def is_done(self) -> bool:
        """True when every step was taken."""
        return self.trainer.steps >= self.last

    def resume(self) -> None:
        """Go on from the checkpoint in the folder.

        Raises:
            UsageError: there is none, or it is of another training.
        """
        self.progress = checkpoint.load(self.trainer, self.subject, self.folder)

    def save(self) -> None:
        """Write a checkpoint.

        Raises:
            UsageError: the place cannot be written.
        """
        checkpoint.save(self.trainer, self.progress, self.subject, self.folder)

    def train_all(self) -> bool:
        """Train to the end; false where it was stopped, with a checkpoint of that step.

        Raises:
            UsageError: a picture cannot be read, the loss is no number, or a checkpoint cannot be
                written. A process that is alone has saved the last step that it took.
        """
        try:
            return self._train_all()
        except UsageError as error:
            self._save_what_is_sound(error)
            if not self._saved:
                raise
            where = f"step {self._saved:,} is in {self.folder / checkpoint.FILE}"
            raise type(error)(f"{error}\n  {where}; --resume goes on from there") from None

    def _save_what_is_sound(self, error: UsageError) -> None:
        """Save the last step, unless others would have to take part, who may know of no error.

        What diverged may have spoilt running statistics already.
        """
        is_alone = self.trainer.engine.world_size == 1
        if is_alone and not isinstance(error, Diverged) and self.trainer.steps > self._saved:
            self._keep()

    def _train_all(self) -> bool:
        trainer = self.trainer
        self._saved = trainer.steps
        parts = self._parts()
        start = time.perf_counter()
        begun = trainer.steps
        while not self.is_done:
            if self.should_stop():
                self._keep()
                return False
            loss = trainer.step(list(islice(parts, trainer.order.parts)))
            self.progress.sums[0] += loss
            self.progress.sums[1] += 1
            self.watcher.stepped(trainer, loss)
            if trainer.steps % trainer.order.steps == 0:
                seconds = time.perf_counter() - start
                self._end_epoch(seconds, trainer.steps - begun)
                start, begun = time.perf_counter(), trainer.steps
            elif self.save_every and trainer.steps % self.save_every == 0:
                self._keep()
        return True

    def _keep(self) -> None:
        self.save()
        self._saved = self.trainer.steps

    def _parts(self) -> Iterator[Part]:
        engine = self.trainer.engine
        return training_parts(
            self.train,
            self.trainer.order,
            (self.trainer.steps, self.last),
            engine.global_rank,
            workers=self.workers,
            pinned=engine.device.type == "cuda",
        )

    def _end_epoch(self, seconds: float, steps: int) -> None:
        trainer, (total, count) = self.trainer, self.progress.sums
        found = self.evaluate()
        self.progress.history.append(
            {
                "epoch": trainer.steps // trainer.order.steps,
                "steps": trainer.steps,
                "rate": trainer.rate_of(trainer.steps - 1),
                "loss": total / count,
                "val_loss": found.loss,
                "top1": found.top1,
                "top5": found.top5,
                "images_per_second": steps * trainer.order.batch / seconds,
                "seconds": seconds,
            }
        )
        self.progress.sums = [0.0, 0.0]
        self._keep()
        self.watcher.ended(self.progress, trainer)

    def evaluate(self) -> Accuracy:
        """Return the accuracy on the pictures for evaluation, by the averages where there are."""
        if self.trainer.average is None:
            return evaluate(self.trainer, self.val, self.workers)
        with self.trainer.average.in_place():
            return evaluate(self.trainer, self.val, self.workers)


@torch.no_grad()
def evaluate(trainer: Trainer, examples: Examples, workers: int = 0) -> Accuracy:
    """Return the accuracy of a network in evaluation mode, over all processes.

    Each process computes its share by itself and the counts are added at the end, so that shares of
    different lengths do not wait for each other.

    Raises:
        UsageError: a picture cannot be read.
    """
    engine = trainer.engine
    _share_statistics(trainer)
    model = trainer.model if trainer.is_sharded else trainer.module
    model.eval()
    counts = torch.zeros(4, dtype=torch.float64)
    parts = evaluation_parts(
        examples,
        trainer.order.part,
        engine.global_rank,
        engine.world_size,
        workers=workers,
        pinned=engine.device.type == "cuda",
    )
    rounds = 0
    for part in parts:
        inputs, labels = on_device(part, engine.device)
        with engine.autocast():
            counts += counts_of(trainer.heads.scores(model(inputs)), labels).cpu()
        rounds += 1
    if trainer.is_sharded:  # every process has to compute as often as the one with the most
        share = -(-len(examples.pictures) // engine.world_size)
        for _ in range(rounds, -(-share // trainer.order.part)):
            model(inputs)
    if engine.world_size > 1:
        counts = engine.all_reduce(counts.to(engine.device), reduce_op="sum").cpu()
    return accuracy_of(counts)


def _share_statistics(trainer: Trainer) -> None:
    """Give every process the running statistics of the first one, which files have too."""
    if trainer.engine.world_size > 1:
        for buffer in trainer.module.buffers():
            torch.distributed.broadcast(buffer, 0)
