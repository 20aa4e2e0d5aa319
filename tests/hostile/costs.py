"""What hostile inputs cost: `python -m tests.hostile.costs` measures each in a process of its own.

Seconds are of processor time, memory is the most that was resident. What Python or torch costs
alone is measured beside.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.errors.test_limits import BOMBS
from tests.errors.test_limits import write as write_bomb
from tests.errors.test_many_errors import HEAD, MISTAKES
from tests.hostile.archives import long_header, long_pickle, many_numbers, zip_bomb
from tests.hostile.commands import ROOT, SMALL
from tests.hostile.images import METADATA, icon, png

SPEC = "check s.yaml"
WEIGHTS = "build t.yaml --device cpu --weights {0}"
IMAGE = "build t.yaml --device cpu --image x.png"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command took, and how it ended."""

    title: str
    seconds: float
    megabytes: float
    code: int


@dataclass(frozen=True, slots=True)
class Trial:
    """A hostile file, and the command that meets it; `base` is what the command costs without."""

    title: str
    base: str
    command: str
    prepare: Callable[[Path], object]


def trials() -> Iterator[Trial]:
    """Yield every trial."""
    for title in BOMBS:
        yield Trial(title, "python", SPEC, partial(write_bomb, what=title))
    for what, text in MISTAKES.items():
        yield Trial(f"2,000 wrong {what}", "python", SPEC, _spec(HEAD + text))
    keys = "".join(f"fo{i}: 1\n" for i in range(5000))
    yield Trial("5,000 unknown keys", "python", SPEC, _spec(f"{HEAD}layers: [relu]\n{keys}"))
    chain = "".join(f"  b{i}: {{layers: [{{block: b{i + 1}}}]}}\n" for i in range(8000))
    unused = f"{HEAD}blocks:\n{chain}  b8000: {{layers: [relu]}}\nlayers: [relu]\n"
    yield Trial("8,000 unused blocks, each in the next", "python", SPEC, _spec(unused))
    yield Trial("a wrong import beside a large tree", "python", SPEC, _large_tree)
    yield Trial("a zip bomb of weights", "torch", WEIGHTS.format("z.pt"), zip_bomb)
    yield Trial("a pickle of a million steps", "torch", WEIGHTS.format("z.pt"), long_pickle)
    yield Trial("a pickle of more steps", "torch", WEIGHTS.format("z.pt"), many_numbers)
    header = WEIGHTS.format("z.safetensors")
    yield Trial("a header of 63,000 tensors", "torch", header, long_header)
    yield Trial("a layer of 123 GB", "python", "build s.yaml", _wide)
    pictures = {
        "a picture of 13300 x 13300": lambda: png(13_300, 13_300),
        "a picture at the limit": lambda: png(8192, 6144),
        "an icon with a large picture inside": lambda: icon(png(8000, 8000)),
        **METADATA,
    }
    for title, make in pictures.items():
        yield Trial(title, "torch", IMAGE, _picture(make))


METER = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
code = process.returncode = os.waitstatus_to_exitcode(status)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, code)
"""
"""A small process that starts another: its memory counts until the other has its own."""


def measure(title: str, command: tuple[str, ...], folder: Path) -> Cost:
    """Run Python with some arguments in a folder and return what it and its children took."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", METER, sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=True,
    )
    seconds, megabytes, code = done.stdout.split()
    return Cost(title, float(seconds), float(megabytes), int(code))


def bases() -> dict[str, Cost]:
    """Return what a small build or check costs where nothing is hostile."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "t.yaml").write_text(SMALL)
        check = measure("check of a small network", ("-m", "compiler", "check", "t.yaml"), folder)
        build = ("-m", "compiler", "build", "t.yaml", "--device", "cpu")
        return {"python": check, "torch": measure("build of a small network", build, folder)}


def run(trial: Trial) -> Cost:
    """Run one trial in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "t.yaml").write_text(SMALL)
        trial.prepare(folder)
        return measure(trial.title, ("-m", "compiler", *trial.command.split()), folder)


def _spec(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "s.yaml").write_text(text)


def _picture(make: Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda folder: (folder / "x.png").write_bytes(make())


def _large_tree(folder: Path) -> None:
    for i in range(100):
        (folder / f"d{i}").mkdir()
        for j in range(100):
            (folder / f"d{i}" / f"f{j}.yaml").touch()
    (folder / "s.yaml").write_text("network: t\nimport: nothing.yaml\nlayers: [relu]\n")


def _wide(folder: Path) -> None:
    text = "network: t\ninput: {x: [3, 32, 32]}\nlayers: [flatten, {linear: 10000000}]\n"
    (folder / "s.yaml").write_text(text)


def main() -> int:
    """Print a table of all of them, with what they take beyond the base."""
    found = bases()
    print(f"{'':48} {'s':>6} {'MB':>6} {'exit':>5} {'s more':>7} {'MB more':>8}")
    for cost in found.values():
        print(f"{cost.title:48} {cost.seconds:6.2f} {cost.megabytes:6.0f} {cost.code:5}")
    for trial in trials():
        cost, base = run(trial), found[trial.base]
        more = f"{cost.seconds - base.seconds:7.2f} {cost.megabytes - base.megabytes:8.0f}"
        print(
            f"{cost.title:48} {cost.seconds:6.2f} {cost.megabytes:6.0f} {cost.code:5} {more}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
