"""Peak memory of one way to run a network, in a process of its own (Linux), or on a GPU."""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
from pathlib import Path

import torch

from compiler.errors import BackendError

MEGABYTE = 1 << 20


def measure_memory(
    spec: str, side: str, subject: str, dtype: str, batch: int, device: str, settings: list[str]
) -> float:
    """Run one subject in a new process and return the most that it took in inference.

    Megabytes of weights, activations, workspaces and generated code in that process, above what
    it has with everything imported and the input made. What the system caches of files is no part
    of it. On a GPU it is the memory of the device, with what PyTorch holds in reserve.

    Raises:
        BackendError: the process failed; the message is the last line that it printed.
    """
    command = [sys.executable, "-m", "backends.bench.process", spec, side, subject, dtype]
    done = subprocess.run([*command, str(batch), device, *settings], capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise BackendError(f"memory of {side} {subject}: {last}")
    return float(done.stdout.strip().splitlines()[-1])


def used_bytes(device: torch.device) -> int:
    """Return the memory in use now: of this process, or of a GPU by all."""
    if device.type == "cpu":
        return resident_bytes()
    torch.cuda.synchronize(device)
    free, total = torch.cuda.mem_get_info(device)
    return total - free


def settle(device: torch.device) -> None:
    """Give freed memory back, so that it does not hide what comes next, and forget the peak."""
    gc.collect()
    if device.type == "cpu":
        ctypes.CDLL(None).malloc_trim(0)
        reset_peak()
    else:
        torch.cuda.empty_cache()


def peak_bytes(device: torch.device) -> int:
    """Return the peak of memory in use since `settle`; on a GPU PyTorch keeps what it had."""
    return resident_bytes("VmHWM") if device.type == "cpu" else used_bytes(device)


def resident_bytes(field: str = "VmRSS") -> int:
    """Return a memory field of this process: `VmRSS` now, `VmHWM` the highest so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


def reset_peak() -> None:
    """Make the highest resident size start again from the present one."""
    Path("/proc/self/clear_refs").write_text("5")
