"""The state of a training as a file, whole or not at all; it fits any number of processes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_state_dict,
    set_state_dict,
)
from torch.distributed.tensor import DTensor, distribute_tensor

from backends.train.step import Trainer
from compiler.errors import UsageError
from compiler.files import check_file, write_file

FILE = "checkpoint.pt"
VERSION = 2
KEYS = (
    *("version", "steps", "module", "optimizer", "average", "scaler"),
    *("history", "sums", "subject"),
)


@dataclass(slots=True)
class Progress:
    """What a training has found out so far, besides what it learnt."""

    history: list[dict[str, float]] = field(default_factory=list)
    """A row an epoch."""
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0])
    """Of the epoch that is going on: the sum of the losses of its steps, and how many there are."""


def save(trainer: Trainer, progress: Progress, subject: Mapping[str, Any], folder: Path) -> None:
    """Write the state of a training; every process has to call it, the first one writes.

    Args:
        trainer: between two steps.
        progress: of the epochs so far.
        subject: what the training is of; another one cannot go on with the file.
        folder: where the file goes.

    Raises:
        UsageError: the place cannot be written; what was there before is still there.
    """
    state = _state(trainer, progress, subject)
    if trainer.engine.global_rank == 0:
        # In memory first: torch would turn a full disk into an error of its own.
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_file(folder / FILE, buffer.getvalue())


def _state(trainer: Trainer, progress: Progress, subject: Mapping[str, Any]) -> dict[str, Any]:
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    module, optimizer = get_state_dict(trainer.module, _inner(trainer.optimizer), options=options)
    average = trainer.average
    return {
        "version": VERSION,
        "steps": trainer.steps,
        "module": module,
        "optimizer": optimizer,
        "average": None if average is None else {n: whole(v) for n, v in average.values.items()},
        "scaler": None if trainer.scaler is None else trainer.scaler.state_dict(),
        "history": progress.history,
        "sums": progress.sums,
        "subject": dict(subject),
    }


def load(trainer: Trainer, subject: Mapping[str, Any], folder: Path) -> Progress:
    """Go on with what a checkpoint holds.

    Raises:
        UsageError: there is none, it is no checkpoint of a training, or one of another training.
    """
    state = read(folder)
    for key, value in subject.items():
        if (found := state["subject"].get(key, value)) != value:
            raise UsageError(
                f"{folder / FILE} is of another training: its {key} is {found}, and here it is "
                f"{value}; go on with the same, or begin in another folder"
            )
    options = StateDictOptions(full_state_dict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        set_state_dict(
            trainer.module,
            _inner(trainer.optimizer),
            model_state_dict=state["module"],
            optim_state_dict=state["optimizer"],
            options=options,
        )
    if trainer.average is not None:
        for name, tensor in trainer.average.values.items():
            put(tensor, state["average"][name])
    if trainer.scaler is not None and state["scaler"] is not None:
        trainer.scaler.load_state_dict(state["scaler"])
    trainer.steps = state["steps"]
    return Progress(state["history"], state["sums"])


def read(folder: Path) -> dict[str, Any]:
    """Return what a checkpoint holds. No code in it is run.

    Raises:
        UsageError: there is none, or it is no checkpoint of a training.
    """
    path = folder / FILE
    check_file(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever a damaged archive makes it raise
        reason = str(error).partition("\n")[0]
        lack = f"{path} cannot be read as the checkpoint of a training: {reason}"
        raise UsageError(lack) from None
    if not isinstance(state, dict) or set(state) != set(KEYS) or state["version"] != VERSION:
        raise UsageError(f"{path} is no checkpoint that `train` of this version wrote")
    return state


def whole(value: Tensor) -> Tensor:
    """Return a tensor of which every process may hold a part, on the CPU."""
    out: Tensor = value.full_tensor() if isinstance(value, DTensor) else value
    return out.detach().cpu()


@torch.no_grad()
def put(tensor: Tensor, value: Tensor) -> None:
    """Give a tensor values, of which every process may hold a part."""
    if isinstance(tensor, DTensor):
        moved = value.to(tensor.device)
        tensor.copy_(distribute_tensor(moved, tensor.device_mesh, tensor.placements))
    else:
        tensor.copy_(value)


def _inner(optimizer: Any) -> Any:
    """Return the optimiser that an engine wraps."""
    return getattr(optimizer, "optimizer", optimizer)
