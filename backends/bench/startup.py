"""What commands cost as whole processes, beside the import of the packages that all of them need.

    python -m backends.bench.startup [RUNS]

It is time of the processor, the system's share too, so that a busy machine matters less. Runs are
interleaved, and the table shows medians, the ratios those of pairs of runs. Byte code is cached, as
it is where netdraft is installed.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from statistics import median

IMPORTS = ("-c", "import pydantic, networkx, yaml")
COMMANDS = (
    "--help",
    "check --help",
    "check inception_v4",
    "check inception_v4 --against paper",
    "summary inception_v4",
    "diff inception_v4 released/inception_v4_slim",
    "why inception_v4 reduction_a.channels",
    "fmt --check specs/inception_v4.yaml",
    "render inception_v4 --figure 9",
)


def seconds(arguments: tuple[str, ...]) -> float:
    """Return the time of the processor that a process of Python takes.

    Raises:
        CalledProcessError: it fails.
    """
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], env=kept, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def table(runs: int) -> str:
    """Return a line for each command: milliseconds, and how often the imports go into them."""
    subjects = [IMPORTS, *(("-m", "compiler", *command.split()) for command in COMMANDS)]
    for subject in subjects:  # writes byte code, brings files into memory
        seconds(subject)
    rounds = [[seconds(subject) for subject in subjects] for _ in range(runs)]
    imports, *commands = zip(*rounds, strict=True)
    lines = [f"{IMPORTS[1]:<54}{1e3 * median(imports):7.0f} ms"]
    for name, times in zip(COMMANDS, commands, strict=True):
        ratio = median(time / least for time, least in zip(times, imports, strict=True))
        lines.append(f"{name:<54}{1e3 * median(times):7.0f} ms{ratio:7.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(int(sys.argv[1]) if sys.argv[1:] else 14))
