"""Peak memory of one way to run a network, in a process of its own (Linux)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from compiler.errors import BackendError

MEGABYTE = 1 << 20


def measure_memory(
    spec: str, side: str, subject: str, dtype: str, batch: int, settings: list[str]
) -> float:
    """Run one subject in a new process and return the most that it took in inference.

    Megabytes of weights, activations, workspaces and generated code in that process, above what
    it has with everything imported and the input made. What the system caches of files is no part
    of it.

    Raises:
        BackendError: the process failed; the text is the last line of what it said.
    """
    command = [sys.executable, "-m", "backends.bench.process", spec, side, subject, dtype]
    done = subprocess.run([*command, str(batch), *settings], capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise BackendError(f"memory of {side} {subject}: {last}")
    return float(done.stdout.strip().splitlines()[-1])


def resident_bytes(field: str = "VmRSS") -> int:
    """Return a memory field of this process: `VmRSS` now, `VmHWM` the highest so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


def reset_peak() -> None:
    """Make the highest resident size start again from the present one."""
    Path("/proc/self/clear_refs").write_text("5")
