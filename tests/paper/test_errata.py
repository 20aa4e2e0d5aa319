"""The errata: complete, used, and on a page that is not stale."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from compiler.errors import Report
from compiler.spec import load_spec
from docs.pages.errata import PAGE, main

RECORDS = load_spec("errata", Report()).errata
UNBUILDABLE = {"E1", "E2", "E4", "E10", "E14", "E16", "E20"}
WORDING = {"E9", "E12", "E13", "E15", "E17", "E18", "E22", "E23", "E24", "E25", "E26", "E29", "E30"}


def test_all_thirty_are_recorded_in_order() -> None:
    assert list(RECORDS) == [f"E{n}" for n in range(1, 31)]


def test_severities() -> None:
    by_severity = {
        s: {k for k, r in RECORDS.items() if r.severity == s} for s in ("unbuildable", "wording")
    }
    assert by_severity == {"unbuildable": UNBUILDABLE, "wording": WORDING}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_says_all(name: str) -> None:
    record = RECORDS[name]
    for text in (record.where, record.printed, record.built, record.why, *record.sources):
        assert text.strip()
        assert not text.endswith(".") or text.endswith('."')
    assert record.sources


def test_public_threads_are_cited_by_repository_and_number() -> None:
    threads = {
        t
        for r in RECORDS.values()
        for s in (*r.sources, r.why)
        for t in re.findall(r"[\w.-]+/[\w.-]+#\d+", s)
    }
    assert {"tensorflow/models#7041", "tensorflow/models#3313", "tensorflow/models#1553"} <= threads
    assert {"tensorflow/models#1118", "davidsandberg/facenet#563"} <= threads


def test_the_page_is_not_stale() -> None:
    assert main(["--check"]) == 0


def test_a_stale_page_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = tmp_path / "ERRATA.md"
    stale.write_text(PAGE.read_text("utf-8") + "more", encoding="utf-8")
    monkeypatch.setattr("docs.pages.errata.PAGE", stale)
    assert main(["--check"]) == 1
    assert capsys.readouterr().err == "ERRATA.md is stale: run python -m docs.pages.errata\n"


def test_the_page_has_a_place_for_every_erratum_and_shows_the_costs() -> None:
    text = PAGE.read_text("utf-8")
    assert [f"E{n}" for n in range(1, 31)] == sorted(
        re.findall(r"^### .*?>(E\d+):", text, re.M), key=lambda e: int(e[1:])
    )
    assert "[tensorflow/models#7041](https://github.com/tensorflow/models/issues/7041)" in text
    for row in (
        "42,679,816 | 12.254",
        "22,756,328 | 6.206",
        "32,433,928 | 9.258",
        "55,843,464 | 13.156",
    ):
        assert row in text


def test_links_into_the_repository_lead_somewhere() -> None:
    for target in re.findall(r"\]\(\.\./([^)]+)\)", PAGE.read_text("utf-8")):
        assert (PAGE.parents[1] / target).is_file()
