"""The tutorial up to the training, and its notebook; tests/peers runs it to its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from docs.pages.tutorial import NOTEBOOK, PAGE, main, print_notebook, steps
from tests.project.tutorial_runner import run_step

TEXT = PAGE.read_text(encoding="utf-8")


def test_a_page_is_steps() -> None:
    page = "# A\n```sh\nx\n```\nwords\n```yaml\n# a.yaml\nk: 1\n```\n"
    page += "```console\n$ a b\nc\n...\n$ d\n```\n"
    page += "```python\nprint(1)  # 1\n```\nend\n"
    found = [(s.kind, s.text, s.name, s.output) for s in steps(page) if s.text]
    assert found == [
        ("words", "# A\n```sh\nx\n```\nwords", "", ""),
        ("file", "# a.yaml\nk: 1\n", "a.yaml", ""),
        ("command", "a b", "", "c\n...\n"),
        ("command", "d", "", ""),
        ("python", "print(1)  # 1\n", "", "1"),
        ("words", "end", "", ""),
    ]
    cells = json.loads(print_notebook(page))["cells"]
    assert ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"] == [
        "%%writefile a.yaml\n# a.yaml\nk: 1",
        "!a b",
        "!d",
        "print(1)  # 1",
    ]


def test_what_it_says_before_the_training_happens(tmp_path: Path) -> None:
    before, _, after = TEXT.partition("\n## Train\n")
    assert after
    for step in steps(before):
        run_step(step, tmp_path)
    assert (tmp_path / "build" / "digits.svg").is_file()


def test_the_notebook_is_fresh() -> None:
    assert main(["--check"]) == 0, "docs/TUTORIAL.ipynb is stale: run `make docs`"


def test_the_notebook_is_one() -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not here: netdraft[docs]")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].source.startswith("# Tutorial\n")
