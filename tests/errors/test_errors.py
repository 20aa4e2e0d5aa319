"""Every error code: a wrong spec and the entire message that it earns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from compiler.errors import CompileError, in_file_order
from compiler.errors.diagnose import as_text
from compiler.pipeline import draft_graph

ROOT = Path(__file__).resolve().parents[2]
CASES = sorted((ROOT / "tests" / "cases" / "errors").glob("*.yaml"))
ELSEWHERE = {"bad-map", "not-a-recipe", "not-utf8", "import-cycle", "unlike-paper"}
"""Codes whose cases need more than a spec: test_load.py, and tests of paper, recipes, weights."""


def complaints(path: Path) -> str:
    """Return what the compiler says of a spec, as a terminal shows it."""
    try:
        _, report, spec = draft_graph(path)
        found, texts = report.diagnostics, spec.texts
    except CompileError as error:
        found, texts = list(error.diagnostics), dict(error.texts)
    return as_text(in_file_order(found, texts), texts)


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.stem)
def test_message(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case.parent)
    expected = case.with_suffix(".txt").read_text(encoding="utf-8")
    assert complaints(Path(case.name)) == expected


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.stem)
def test_lines_fit_a_terminal(case: Path) -> None:
    text = case.with_suffix(".txt").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if len(line) > 80] == []


def codes_in_source() -> set[str]:
    """Return every code that the compiler can report."""
    text = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "compiler").rglob("*.py"))
    made = re.findall(
        r"(?:Diagnostic|fail|ShapeError|bad|_report_layer)\(\s*(?:layer,\s*|[^()]*?)?\"([a-z]+(?:-[a-z0-9]+)+)\"",
        text,
    )
    return set(made) | set(re.findall(r"code: str = \"([a-z-]+)\"", text))


def test_every_code_has_a_case() -> None:
    shown = {
        c
        for p in CASES
        for c in re.findall(
            r"^(?:error|warning)\[([a-z0-9-]+)\]",
            p.with_suffix(".txt").read_text(encoding="utf-8"),
            re.M,
        )
    }
    assert codes_in_source() - shown - ELSEWHERE == set()
