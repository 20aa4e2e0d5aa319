"""Measures targets on this device and input, and remembers the fastest in a lock file."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import torch
from pydantic import ConfigDict, TypeAdapter

from backends.state.cache import ignore, keep, kept, locked
from compiler.errors import limit

ROUNDS = 7
# Seconds for the threads of the candidate before to stop spinning, see `measure`.
PAUSE_S = 0.02
LOCK_VERSION = 1


@dataclass(frozen=True)
class Tuned:
    """What tuning found: the fastest target, every median, and choices inside targets."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    target: str
    milliseconds: Mapping[str, float]
    choices: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    """Target -> why it cannot run here."""


@dataclass(frozen=True)
class _Lock:
    version: Literal[1]
    entries: dict[str, object]


_FILE = TypeAdapter(_Lock)
_ENTRY = TypeAdapter(Tuned)


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
    """Tuning results on disk: JSON, one entry per network, device, dtype and input shape.

    What cannot be read is as if it were not there; what cannot be written is tuned again by the
    next process. Either is logged once, see `backends.state.cache`.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def read(self, key: str) -> Tuned | None:
        """Return an entry, None if there is none that can be read."""
        return self._entries(self.path).get(key) if self.path else None

    def write(self, key: str, tuned: Tuned) -> None:
        """Add or replace an entry; the file is replaced whole, with what others added to it.

        Where it becomes too large, the entries that have been there longest go.
        """
        if self.path is None:
            return
        with locked(self.path):
            entries = self._entries(self.path)
            # Popped and appended, so that the order of the file is by age and the oldest go first.
            entries.pop(key, None)
            lines = [_line(name, entry) for name, entry in [*entries.items(), (key, tuned)]]
            keep(self.path, _file(lines))

    def _entries(self, path: Path) -> dict[str, Tuned]:
        raw = kept(path)
        if raw is None:
            return {}
        try:
            found = _FILE.validate_json(raw).entries
        except ValueError:
            ignore(path, f"holds no tuning results of version {LOCK_VERSION}")
            return {}
        entries = {key: entry for key, value in found.items() if (entry := _entry(value))}
        if len(entries) < len(found):
            ignore(path, f"holds {len(found) - len(entries)} of {len(found)} results damaged")
        return entries


def _entry(value: object) -> Tuned | None:
    try:
        return _ENTRY.validate_json(json.dumps(value))  # as JSON, where a mapping may be an entry
    except ValueError:
        return None


def _line(key: str, entry: Tuned) -> bytes:
    return f"{json.dumps(key)}: {json.dumps(asdict(entry))}".encode()


def _file(lines: list[bytes]) -> bytes:
    """Return the last of the entries, as many as a file may hold."""
    remaining = limit("cache_bytes") - 100
    first = len(lines)
    # 100 bytes for the head and the tail, 2 for the comma and the line break of each entry.
    while first and (remaining := remaining - len(lines[first - 1]) - 2) >= 0:
        first -= 1
    head = f'{{"version": {LOCK_VERSION}, "entries": {{'.encode()
    return head + b"\n" + b",\n".join(lines[first:]) + b"\n}}\n"
