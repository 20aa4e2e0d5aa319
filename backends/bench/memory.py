"""Peak memory of one way to run a network, in a process of its own (Linux)."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from compiler.errors import BackendError

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Memory:
    """Megabytes above the process with everything imported and the input made."""

    peak: float
    """Most during inference: weights, activations, workspaces, generated code."""
    activations: float
    """The same less the network's parameters in the dtype that it runs in."""


def measure_memory(
    spec: str, side: str, subject: str, dtype: str, batch: int, settings: list[str]
) -> Memory:
    """Run one subject in a new process and return what it took.

    Raises:
        BackendError: the process failed; the text is the last line of what it said.
    """
    command = [sys.executable, "-m", "backends.bench.process", spec, side, subject, dtype]
    done = subprocess.run([*command, str(batch), *settings], capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise BackendError(f"memory of {side} {subject}: {last}")
    return Memory(**json.loads(done.stdout.strip().splitlines()[-1]))


def resident_bytes(field: str = "VmRSS") -> int:
    """Return a memory field of this process: `VmRSS` now, `VmHWM` the highest so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


def reset_peak() -> None:
    """Make the highest resident size start again from the present one."""
    Path("/proc/self/clear_refs").write_text("5")
