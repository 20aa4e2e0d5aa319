"""Recorded runs of `netdraft bench`: a folder of docs/performance for each machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "docs" / "performance"

NETWORKS = ("inception_v4", "inception_resnet_v1", "inception_resnet_v2")

Run = Mapping[str, Any]
"""What one `bench` wrote."""
Table = Mapping[str, Any]
"""One table of a run, with the name of its network."""


@dataclass(frozen=True)
class Machine:
    """What was recorded on one machine; what was not is missing or empty."""

    name: str
    """Of its folder."""
    runs: Mapping[str, Run]
    """Network -> its run at batch 1."""
    batches: tuple[Table, ...]
    training: tuple[Table, ...]
    compiled_training: tuple[Table, ...]
    memory: Run | None

    @property
    def title(self) -> str:
        """What the maker calls it, without marks."""
        device = str(next(iter(self.runs.values()))["device"])
        return device.replace("(R)", "").replace(" Processor", "")

    @property
    def date(self) -> str:
        """The day of its first run."""
        return str(next(iter(self.runs.values()))["date"])

    @property
    def inference(self) -> list[Table]:
        """The tables of inference at batch 1."""
        return [table for run in self.runs.values() for table in tables_of(run, "inference")]


def read_machines() -> list[Machine]:
    """Return what was recorded, by the names of the folders."""
    return [_machine(folder) for folder in sorted(FOLDER.iterdir()) if folder.is_dir()]


def _machine(folder: Path) -> Machine:
    def tables(name: str, task: str) -> tuple[Table, ...]:
        run = _read(folder / name)
        return tuple(tables_of(run, task)) if run else ()

    runs = {network: _read(folder / f"{network}.json") for network in NETWORKS}
    return Machine(
        folder.name,
        {network: run for network, run in runs.items() if run},
        tables("inception_v4_batches.json", "inference")
        + tables("inception_v4_throughput.json", "inference"),
        tuple(t for name in NETWORKS for t in tables(f"{name}_training.json", "training")),
        tables("inception_v4_training_compiled.json", "training"),
        _read(folder / "memory.json"),
    )


def _read(path: Path) -> Run | None:
    if not path.exists():
        return None
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for table in result["tables"]:
        table["network"] = result["network"]
    return result


def tables_of(run: Run, task: str) -> list[Table]:
    """Return the tables of a run that are of a task: `inference` or `training`."""
    return [table for table in run["tables"] if table["task"] == task]


def name_of(table: Table) -> str:
    """Return the network, dtype and batch of a table."""
    return f"{table['network']}, {table['dtype']}, batch {table['batch']}"


def median_of(table: Table, side: str, *subjects: str) -> float:
    """Return the fastest median of a side, of some subjects or of all but the plain one."""
    rows = [row for row in table["rows"] if row["side"] == side and row["subject"] != "plain"]
    chosen = [row for row in rows if not subjects or row["subject"] in subjects]
    return min(float(row["median_ms"]) for row in chosen)
