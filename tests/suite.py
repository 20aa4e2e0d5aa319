"""Runs the parts of `make test` one after the other and says at the end how many passed.

Of those that were skipped it says why: each reason names what this machine lacks.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "build" / "tests"
HERE = sys.executable
PEERS = str(ROOT / ".venv-peers" / "bin" / "python")
WORKERS = ("--numprocesses=auto", "--maxprocesses=4")
"""One process a core, but not more than the memory of a small machine holds."""
CORE = "not peers and not slow and not browser and not fuzz and not editor"
TARGETS = (
    *(f"tests/{room}" for room in ("torch", "onnx", "run", "state", "bench", "native")),
    "tests/every_target",
    "tests/test_every_op.py",
)
"""What runs networks in every target."""
HOSTILE = "tests/hostile"
"""Files and machines at fault."""
ELSEWHERE = ("tests/peers", *TARGETS, HOSTILE)
"""What is no core suite."""


@dataclass(frozen=True, slots=True)
class Part:
    """One command; a tool's counts as one test, pytest's by its report."""

    title: str
    command: tuple[str, ...]
    is_pytest: bool = False


def pytest(*arguments: str, python: str = HERE) -> tuple[str, ...]:
    """Return a call of pytest that prints dots, and no more than the failures."""
    return (python, "-m", "pytest", "-q", *arguments)


PARTS = {
    "lint": Part("lint", (HERE, "-m", "ruff", "check", "--quiet", ".")),
    "format": Part("format", (HERE, "-m", "ruff", "format", "--check", "--quiet", ".")),
    "types": Part("types", (HERE, "-m", "mypy")),
    "core": Part(
        "core suite",
        pytest(
            "-m",
            CORE,
            *(f"--ignore={place}" for place in ELSEWHERE),
            *WORKERS,
        ),
        is_pytest=True,
    ),
    "targets": Part("every target", pytest("-m", CORE, *WORKERS, *TARGETS), is_pytest=True),
    "hostile": Part(
        "files and machines at fault", pytest("-m", CORE, *WORKERS, HOSTILE), is_pytest=True
    ),
    "without_native": Part(
        "the back ends without our own kernels",
        (HERE, "tests/without_native.py", "-q", "-m", CORE, *WORKERS, *TARGETS),
        is_pytest=True,
    ),
    "fuzz": Part(
        "random and mutated specs", pytest("-m", "fuzz", "tests/fuzz", *WORKERS), is_pytest=True
    ),
    "slow": Part(
        "slow tests",
        pytest("-m", "slow and not peers and not browser", "--ignore=tests/peers", *WORKERS),
        is_pytest=True,
    ),
    "peers": Part(
        "comparison with timm, facenet-pytorch and torchvision",
        pytest("-m", "peers", "tests/peers", *WORKERS, python=PEERS),
        is_pytest=True,
    ),
    "editor": Part(
        "the schema, the extension and Monaco in an editor",
        pytest("-m", "editor", "tests/editor"),
        is_pytest=True,
    ),
    "browser": Part("the page in Chromium", pytest("-m", "browser", "tests/viz"), is_pytest=True),
}


def main(names: list[str]) -> int:
    """Run the named parts, or all of them; 1 if anything failed."""
    for name in names:
        if name not in PARTS:
            print(f"unknown part: {name} (must be one of {', '.join(PARTS)})", file=sys.stderr)
            return 2
    REPORTS.mkdir(parents=True, exist_ok=True)
    total: Counter[str] = Counter()
    for name in names or PARTS:
        total += run(name, PARTS[name])
    for reason, count in skipped(REPORTS / f"{name}.xml" for name in names or PARTS).most_common():
        print(f"skipped {count}: {reason}")
    line = f"{total['passed']} passed, {total['failed']} failed"
    print(line + (f", {total['skipped']} skipped" if total["skipped"] else ""))
    return int(total["failed"] > 0)


def run(name: str, part: Part) -> Counter[str]:
    """Run one part and return how many of its tests passed, failed and were skipped."""
    print(f"==> {part.title}", flush=True)
    report = REPORTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    command = [*part.command, f"--junitxml={report}"] if part.is_pytest else [*part.command]
    start = time.monotonic()
    # The workers share the cores, so each of them computes on one.
    code = subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode
    print(f"    {time.monotonic() - start:.0f} s", flush=True)
    if part.is_pytest and report.is_file():
        return counted(report, code)
    return Counter(failed=1) if code else Counter(passed=1)


def counted(report: Path, code: int) -> Counter[str]:
    """Return the counts of a JUnit report; a run that failed without a failed test is one."""
    out: Counter[str] = Counter()
    for suite in ET.parse(report).getroot().iter("testsuite"):
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0))
        out["failed"] += failed
        out["skipped"] += skipped
        out["passed"] += int(suite.get("tests", 0)) - failed - skipped
    if code and not out["failed"]:
        out["failed"] = 1
    return out


def skipped(reports: Iterable[Path]) -> Counter[str]:
    """Return why tests were skipped, with how many, of the reports that are there."""
    trees = [ET.parse(report) for report in reports if report.is_file()]
    return Counter(skip.get("message", "") for tree in trees for skip in tree.iter("skipped"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
