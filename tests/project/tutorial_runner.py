"""Runs steps of the tutorial in a folder and compares what they print with the page."""

from __future__ import annotations

import doctest
import os
import shlex
import subprocess
import sys
from pathlib import Path

from docs.pages.tutorial import Step

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "NO_COLOR": "1", "COLUMNS": "80", "PYTHONPATH": str(ROOT)}


def run_step(step: Step, folder: Path) -> None:
    """Do what a step says, each command in a process of its own."""
    if step.kind == "file":
        (folder / step.name).write_text(step.text, encoding="utf-8")
    elif step.kind == "command":
        arguments = shlex.split(step.text)
        assert arguments[0] == "netdraft"
        _run(["-P", "-m", "compiler", *arguments[1:]], step, folder)
    elif step.kind == "python":
        _run(["-P", "-c", step.text], step, folder)


def _run(arguments: list[str], step: Step, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    want, got = step.output.rstrip() + "\n", done.stdout.rstrip() + "\n"
    is_shown = doctest.OutputChecker().check_output(want, got, doctest.ELLIPSIS)
    assert is_shown, f"$ {step.text}\n{got}"
