"""docs/TUTORIAL.md as steps that tests run, and as a notebook."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from docs.pages.section import rewrite

FOLDER = Path(__file__).resolve().parents[1]
PAGE = FOLDER / "TUTORIAL.md"
NOTEBOOK = FOLDER / "TUTORIAL.ipynb"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
IN_BROWSER = "The same as a notebook: [TUTORIAL.ipynb](TUTORIAL.ipynb). "


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of the page.

    kind   `words`; `file`: what a file of that name holds; `command` and the output that it prints,
           where `...` is anything; `python` and what it prints, from its comments
    """

    kind: Literal["words", "file", "command", "python"]
    text: str
    name: str = ""
    output: str = ""


def steps(page: str) -> Iterator[Step]:
    """Yield the steps of a page in order."""
    at = 0
    for fence in FENCE.finditer(page):
        if fence[1] == "sh":  # words: it is done before the page begins
            continue
        yield Step("words", page[at : fence.start()].strip())
        at = fence.end()
        yield from _steps_of(fence[1], fence[2])
    yield Step("words", page[at:].strip())


def _steps_of(language: str, text: str) -> Iterator[Step]:
    if language == "yaml":
        yield Step("file", text, name=text.partition("\n")[0].removeprefix("# "))
    elif language == "python":
        shown = re.findall(r"print\(.*\)  # (.*)", text)
        yield Step("python", text, output="\n".join(shown))
    else:
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield Step("command", command, output=output)


def print_notebook(page: str) -> str:
    """Return the page as a notebook (nbformat 4.5) that was not run yet."""
    cells = [_cell(i, step) for i, step in enumerate(steps(page.replace(IN_BROWSER, "")))]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": [cell for cell in cells if cell["source"]],
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _cell(number: int, step: Step) -> dict[str, object]:
    texts = {
        "words": step.text,
        "file": f"%%writefile {step.name}\n{step.text}",
        "command": f"!{step.text}",
        "python": step.text,
    }
    common: dict[str, object] = {
        "id": f"step-{number}",
        "metadata": {},
        "source": texts[step.kind].rstrip().splitlines(keepends=True),
    }
    if step.kind == "words":
        return {"cell_type": "markdown", **common}
    return {"cell_type": "code", "execution_count": None, "outputs": [], **common}


def main(arguments: list[str]) -> int:
    """Write the notebook; with --check, return 1 where it is stale."""
    return rewrite(NOTEBOOK, print_notebook(PAGE.read_text(encoding="utf-8")), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
