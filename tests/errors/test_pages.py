"""A page for each code: its spec is wrong as its message says, and mended it is right."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from compiler.cli.main import main
from compiler.errors import CompileError, Report, in_file_order
from compiler.errors.diagnose import as_text
from compiler.errors.explain import FOLDER, Page, codes, page
from compiler.paper.compare import compare
from compiler.pipeline import draft_graph
from compiler.recipe import load_recipe
from compiler.weights.mapping import load_map
from tests.errors.test_errors import codes_in_source

FILE = "spec.yaml"
FILES = {"map": load_map, "recipe": load_recipe}
"""What is no spec -> what reads it."""


def complaints(page: Page, text: str) -> str:
    """Return what is said of the spec of a page, as a terminal shows it.

    The current folder is one of the page's own.
    """
    if "=" in page.how:
        name, _, value = page.how.partition("=")
        os.environ[name] = value
    Path(FILE).write_bytes(text.encode(page.how if page.how == "latin-1" else "utf-8"))
    report, texts = Report(), {}
    try:
        if page.how in FILES:
            FILES[page.how](FILE)
        else:
            graph, report, spec = draft_graph(FILE)
            texts = spec.texts
            if page.how == "paper":
                report.add_all(compare(graph, spec.errata).diagnostics)
    except CompileError as error:
        report.add_all(error.diagnostics)
        texts = dict(error.texts)
    found = in_file_order(report.diagnostics, texts)
    if "=" in page.how:
        del os.environ[page.how.split("=")[0]]
    return as_text(found, texts)


def rewritten(page: Page) -> str:
    """Return the text of a page with the message that its spec has now."""
    message = complaints(page, page.wrong)
    return page.text.replace(f"```text\n{page.message}```", f"```text\n{message}```")


@pytest.mark.parametrize("code", codes())
def test_a_page_is_wrong_as_it_says_and_mended(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    known = page(code)
    assert complaints(known, known.wrong) == known.message
    assert f"[{code}]" in known.message
    mended = Page(
        code, "", "", "", known.mended, known.how if known.how in (*FILES, "paper") else ""
    )
    assert complaints(mended, known.mended) == ""


def test_every_code_has_a_page() -> None:
    wanted = codes_in_source() | {"more-errors", "more-warnings"}
    assert sorted(wanted - set(codes())) == [], f"write {FOLDER}/CODE.md as the others are"


def test_a_page_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "shape-mismatch"]) == 0
    assert capsys.readouterr().out == page("shape-mismatch").text
    assert main(["explain", "shape-mismatch", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["mended"] == page("shape-mismatch").mended


def test_all_codes_are_listed_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == list(codes())
    assert [line for line in lines if len(line) > 80] == []


def test_a_code_that_is_not_there_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "shape-mismach"]) == 2
    assert capsys.readouterr().err == (
        "error: there is no code `shape-mismach` (did you mean `shape-mismatch`?); `explain` lists "
        "all\n"
    )
