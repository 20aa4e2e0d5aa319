"""Rewrites the golden texts: `make golden`, then read the diff as you would read code."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def write_errors() -> None:
    """Write the message of every wrong spec beside it."""
    from tests.errors.test_errors import CASES, complaints

    for case in CASES:
        os.chdir(case.parent)
        case.with_suffix(".txt").write_text(complaints(Path(case.name)), encoding="utf-8")


def write_pages() -> None:
    """Write the message of the wrong spec on every page of a code."""
    from tempfile import TemporaryDirectory

    from compiler.errors.explain import FOLDER, codes, page
    from tests.errors.test_pages import rewritten

    for code in codes():
        with TemporaryDirectory() as folder:
            os.chdir(folder)
            text = rewritten(page(code))
            (FOLDER / f"{code}.md").write_text(text, encoding="utf-8")
            os.chdir(ROOT)


if __name__ == "__main__":
    write_errors()
    write_pages()
