"""Ends that come from outside: a signal, or another process that is gone."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from backends.train import checkpoint
from backends.train.loop import Run
from compiler.errors import UsageError

GONE = ("Connection", "connection", "closed by peer", "NCCL", "timed out", "Timed out")
"""What gloo and NCCL say of a process that is not there any more."""


@contextmanager
def stopping(run: Run) -> Iterator[None]:
    """Have SIGINT and SIGTERM end a training between two steps, with a checkpoint.

    A second signal ends it at once. Of several processes each stays as it is: they would stop at
    different steps and wait for each other; the checkpoints that there are serve.
    """
    if run.trainer.engine.world_size > 1:
        yield
        return
    asked: list[int] = []
    kept: dict[int, Any] = {}

    def ask(number: int, frame: object) -> None:
        asked.append(number)
        signal.signal(number, kept[number])

    for one in (signal.SIGINT, signal.SIGTERM):
        kept[one] = signal.signal(one, ask)
    run.should_stop = lambda: bool(asked)
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


@contextmanager
def told_of_others(run: Run) -> Iterator[None]:
    """Make a sentence of the error of a process that waits for one that is gone.

    Raises:
        UsageError: in its place.
    """
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        if run.trainer.engine.world_size == 1 or not any(word in text for word in GONE):
            raise
        path = run.folder / checkpoint.FILE
        where = f"{path} is there; --resume goes on from it" if path.exists() else "there is none"
        raise UsageError(
            f"another process of this training has ended, so that this one (number "
            f"{run.trainer.engine.global_rank}) cannot go on; its own message, or the system's, "
            f"says why\n  checkpoint: {where}"
        ) from None
