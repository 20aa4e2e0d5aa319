"""Runs the steps one by one within a time, keeps what each found, and goes on where it stopped.

Only the standard library is imported: what a bare machine lacks is installed from wheels first.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from backends.bench.gpu.plan import FULL, SMALL, Step, steps_of
from backends.bench.report import as_text

ROOT = Path(__file__).parents[3]
_OF_TORCH = "torchvision"
"""What is there of it fits the torch that is there."""
_LEAST_SECONDS = 10
"""What must be left for a step to be worth its start."""

Found = Mapping[str, Any]
Runs = Callable[[Step, Path, float], str]
"""Runs a step for so many seconds; returns why it failed, nothing where it did not."""


def main(arguments: Sequence[str]) -> int:
    """Run what is left to do; 0 when all steps are done, 1 when some are left or failed."""
    parser = argparse.ArgumentParser("make gpu", description=__doc__)
    add = parser.add_argument
    add("-o", "--output", type=Path, default=ROOT / "build" / "gpu", metavar="DIR")
    add("--seconds", type=float, default=460, help="for all steps together (default: 460)")
    add("--device", default="cuda")
    add("--small", action="store_true", help="a rehearsal: small networks, few rounds")
    add("--wheels", type=Path, default=ROOT / ".gpu-wheels", metavar="DIR")
    args = parser.parse_args(arguments)
    end = time.monotonic() + args.seconds
    args.output.mkdir(parents=True, exist_ok=True)
    site = install(missing_wheels(args.wheels), args.output / "site")

    def runs(step: Step, file: Path, seconds: float) -> str:
        return run_process(step, file, seconds, args.device, site)

    steps = steps_of(SMALL if args.small else FULL)
    run_steps(steps, args.output, end, runs)
    left = [step.name for step in steps if not is_done(args.output, step)]
    print(f"results are in {args.output}/report.txt and results.json", flush=True)
    if left:
        print(f"{len(left)} of {len(steps)} steps are left; the same command goes on", flush=True)
    return int(bool(left))


def run_steps(steps: Sequence[Step], folder: Path, end: float, runs: Runs) -> None:
    """Run the steps that are left until the time is spent, those that failed before last.

    Args:
        steps: in order.
        folder: of their files; whatever happens, it holds what was found.
        end: on the monotonic clock.
        runs: one of them.
    """
    waiting = [step for step in steps if not is_done(folder, step)]
    waiting.sort(key=lambda step: _failure(folder, step).exists())
    for number, step in enumerate(waiting, start=1):
        seconds = min(float(step.seconds), end - time.monotonic())
        if seconds < _LEAST_SECONDS:
            print(f"the time is spent before {step.name}", flush=True)
            break
        print(f"==> {step.name} ({number} of {len(waiting)}, {seconds:.0f} s at most)", flush=True)
        start = time.monotonic()
        why = runs(step, _file(folder, step), seconds)
        took = time.monotonic() - start
        print(f"    {why or 'done'}, {took:.0f} s", flush=True)
        if why:
            _failure(folder, step).write_text(json.dumps({"why": why, "seconds": took}))
        collect(steps, folder)
    collect(steps, folder)


def run_process(step: Step, file: Path, seconds: float, device: str, site: Path) -> str:
    """Run a step as a process, which prints as it goes; return why it failed."""
    path = os.pathsep.join(filter(None, (str(site), str(ROOT), os.environ.get("PYTHONPATH"))))
    request = json.dumps({"device": device, "file": str(file), **step.arguments})
    cache = file.parent / "inductor"
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "backends.bench.gpu.steps", step.task, request],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "TORCHINDUCTOR_CACHE_DIR": str(cache)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that a compiler's processes end with it
    ) as process:
        try:
            _, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return f"it took longer than {seconds:.0f} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if process.returncode != 0:  # what a compiler was about to write may be cut off
                for library in cache.rglob("*.so"):
                    library.unlink()
    sys.stderr.write(errors)
    if process.returncode:
        return (errors.strip().splitlines() or [f"it ended with {process.returncode}"])[-1]
    return ""


def is_done(folder: Path, step: Step) -> bool:
    """Say whether a step has nothing left to do."""
    found = _read(_file(folder, step))
    return bool(found and found.get("is_complete"))


def collect(steps: Sequence[Step], folder: Path) -> None:
    """Write what is known so far: `results.json`, and `report.txt` for people."""
    found: dict[str, Found] = {}
    for step in steps:
        result = _read(_file(folder, step)) or {}
        failed = None if is_done(folder, step) else _read(_failure(folder, step))
        if result or failed:
            found[step.name] = {**result, **({"failed": failed["why"]} if failed else {})}
    (folder / "results.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    text = "\n\n".join("\n".join(_section(name, result)) for name, result in found.items())
    (folder / "report.txt").write_text(text + "\n", encoding="utf-8")


def _section(name: str, result: Found) -> Iterator[str]:
    yield f"== {name}"
    if "failed" in result:
        yield f"failed: {result['failed']}"
    yield from (f"{key}: {value}" for key, value in result.get("about", {}).items())
    if "bench" in result:
        yield as_text(result["bench"]).rstrip()
    yield from _checks(result.get("checks", {}))
    yield from (f"{mb:9.0f} MB  {name}" for name, mb in result.get("megabytes", {}).items())
    for how, times in result.get("compiling", {}).items():
        yield f"{how}: {times['first_s']:.1f} s to compile, {times['run_ms']:.3f} ms a run"
    for row in result.get("kernels", ()):
        yield f"{row['microseconds']:10.1f} us {row['count']:5} x {row['name']}"[:100]


def _checks(checks: Mapping[str, Any]) -> Iterator[str]:
    if not checks:
        return
    wrong = {name: check for name, check in checks.items() if not check["is_right"]}
    refused = [name for name, check in checks.items() if "refused" in check]
    right = len(checks) - len(wrong) - len(refused)
    yield f"{right} right, {len(wrong)} wrong, {len(refused)} refused"
    for name, check in wrong.items():
        yield f"  wrong: {name}: {check.get('failed') or check.get('distance')}"


def missing_wheels(folder: Path) -> list[Path]:
    """Return the wheels of what is not installed here, or in an older version."""
    wheels = sorted(folder.glob("*.whl")) if folder.is_dir() else []
    return [wheel for wheel in wheels if _is_missing(*wheel.name.split("-")[:2])]


def _is_missing(name: str, version: str) -> bool:
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return True
    return name != _OF_TORCH and _numbers(found) < _numbers(version)


def _numbers(version: str) -> list[int]:
    return list(map(int, re.findall("[0-9]+", version)))


def install(wheels: Sequence[Path], site: Path) -> Path:
    """Install wheels into a folder, those that can be, and return it."""
    if not wheels or site.exists():
        return site
    print(f"==> installing {len(wheels)} wheels into {site}", flush=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    for wheel in wheels:  # one by one: each may be for another Python
        done = subprocess.run([*pip, "--target", str(site), str(wheel)], check=False)
        if done.returncode:
            print(f"    {wheel.name} is left out", flush=True)
    return site


def _file(folder: Path, step: Step) -> Path:
    return folder / f"{step.name}.json"


def _failure(folder: Path, step: Step) -> Path:
    return folder / f"{step.name}.failed.json"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there, or cut off while it was written
        return None
    return found
