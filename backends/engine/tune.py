"""Measures targets on this device and input, and remembers the fastest in a lock file."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

ROUNDS = 7
PAUSE_S = 0.02
LOCK_VERSION = 1


@dataclass(frozen=True)
class Tuned:
    """What tuning found: the fastest target, every median, and choices inside targets."""

    target: str
    milliseconds: Mapping[str, float]
    choices: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    """Target -> why it cannot run here."""


def measure(
    runs: Mapping[str, Callable[[], object]], rounds: int = ROUNDS, device: str = "cpu"
) -> dict[str, list[float]]:
    """Return the milliseconds of every run of every candidate, interleaved.

    Every candidate runs once per round, so that what else the machine does meets all alike; every
    other round goes backwards, so that none always comes after the same other one.
    Before each timed run come a pause and a run that counts for nothing: thread pools of the
    candidate before (ONNX Runtime's, OpenMP's) go on spinning for a while and would slow the
    next one, and caches are then as in steady use.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    order = list(runs.items())
    for _ in range(rounds):
        for name, run in order:
            time.sleep(PAUSE_S)
            run()
            _wait(device)
            start = time.perf_counter()
            run()
            _wait(device)
            times[name].append((time.perf_counter() - start) * 1e3)
        order.reverse()
    return times


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def medians(times: Mapping[str, list[float]]) -> dict[str, float]:
    """Return the median of every candidate."""
    return {name: statistics.median(values) for name, values in times.items()}


def device_name(device: str | torch.device) -> str:
    """Return what the maker calls a device, with the threads that a CPU run uses."""
    if str(device).startswith("cuda"):
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    name = next(found, platform.processor() or platform.machine())
    return f"{name}, {torch.get_num_threads()} threads"


class LockFile:
    """Tuning results on disk: JSON, one entry per network, device, dtype and input shape."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, key: str) -> Tuned | None:
        """Return an entry, None if there is none that can be read."""
        try:
            return Tuned(**self._entries()[key])
        except (KeyError, TypeError):
            return None

    def write(self, key: str, tuned: Tuned) -> None:
        """Add or replace an entry; the file is replaced whole."""
        entries = {**self._entries(), key: asdict(tuned)}
        text = json.dumps({"version": LOCK_VERSION, "entries": entries}, indent=1, sort_keys=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".part")
        temporary.write_text(text + "\n")
        temporary.replace(self.path)

    def _entries(self) -> dict[str, Any]:
        try:
            data = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        is_ours = isinstance(data, dict) and data.get("version") == LOCK_VERSION
        entries = data.get("entries") if is_ours else None
        return entries if isinstance(entries, dict) else {}
