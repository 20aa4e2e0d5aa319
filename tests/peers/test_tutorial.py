"""The tutorial to its end, training included: as a page, and as the notebook in a kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from docs.pages.tutorial import NOTEBOOK, PAGE, steps
from tests.project.tutorial_runner import ENVIRONMENT, run_step

pytestmark = [pytest.mark.peers, pytest.mark.slow]
TEXT = PAGE.read_text(encoding="utf-8")
EXECUTE = """
import sys, nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""


def test_every_command_of_the_page(tmp_path: Path) -> None:
    for step in steps(TEXT):
        run_step(step, tmp_path)
    assert (tmp_path / "build" / "digits" / "digits.onnx").is_file()


def test_the_notebook_runs(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not here: make peers")
    pytest.importorskip("nbclient", reason="nbclient is not here: make peers")
    done = tmp_path / "done.ipynb"
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        [sys.executable, "-c", EXECUTE, str(NOTEBOOK), str(done)],
        cwd=tmp_path,
        env={**ENVIRONMENT, "PATH": programs},
        check=True,
    )
    cells = [c for c in nbformat.read(done, as_version=4).cells if c.cell_type == "code"]
    of_page = [step for step in steps(TEXT) if step.kind != "words"]
    for cell, step in zip(cells, of_page, strict=True):
        printed = "".join(output.get("text", "") for output in cell.outputs)
        lines = [line for line in step.output.splitlines() if "..." not in line]
        assert [line for line in lines if line not in printed] == [], printed
