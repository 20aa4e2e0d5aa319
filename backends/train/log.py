"""What is kept of a training to read: a table of its epochs, and TensorBoard's events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compiler.errors import UsageError
from compiler.files import write_file

CSV = "log.csv"
COLUMNS = tuple(
    "epoch steps rate loss val_loss top1 top5 images_per_second seconds".split()  # noqa: SIM905
)


def write_csv(history: Sequence[Mapping[str, float]], folder: Path) -> Path:
    """Write the table of all epochs, whole: also those before a break.

    Raises:
        UsageError: the place cannot be written.
    """
    lines = [",".join(COLUMNS), *(",".join(_shown(row[c]) for c in COLUMNS) for row in history)]
    return write_file(folder / CSV, "\n".join(lines) + "\n")


def _shown(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"


class TensorBoard:
    """Events for TensorBoard: the loss of steps, and what an epoch found."""

    def __init__(self, folder: Path, steps: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise UsageError(
                "--tensorboard takes the package tensorboard; pip install 'netdraft[train]'"
            ) from None
        make: Any = SummaryWriter
        # What was written after the checkpoint that a training goes on from is dropped.
        self.writer = make(str(folder / "tensorboard"), purge_step=steps + 1)

    def step(self, number: int, loss: float, rate: float) -> None:
        """Write what a step found."""
        self.writer.add_scalar("loss", loss, number)
        self.writer.add_scalar("rate", rate, number)

    def epoch(self, row: Mapping[str, float]) -> None:
        """Write what an epoch found."""
        for name in ("val_loss", "top1", "top5", "images_per_second"):
            self.writer.add_scalar(name, row[name], int(row["steps"]))
        self.writer.flush()

    def close(self) -> None:
        """Write what is left."""
        self.writer.close()
