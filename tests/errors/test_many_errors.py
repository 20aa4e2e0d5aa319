"""Many mistakes in one spec: the first are shown, the rest counted, no work done for them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from compiler.__main__ import main
from compiler.errors import CompileError, Diagnostic, Report, Span, in_file_order, suggest
from compiler.errors.diagnose import as_text
from compiler.pipeline import draft_graph

HEAD = "network: t\ninput: {image: [3, 8, 8]}\n"


def listed(*items: str) -> str:
    return ", ".join(items)


def of_each(count: int, text: str) -> list[str]:
    return [text.replace("#", str(i)) for i in range(count)]


MISTAKES = {
    "imports": f"import: [{listed(*of_each(2000, 'no#.yaml'))}]\nlayers: [relu]\n",
    "keys of a layer": f"layers: [{{conv: 1, filters: 4, {listed(*of_each(2000, 'fo#: 1'))}}}]\n",
    "keys of a spec": "".join(of_each(2000, "fo#: 1\n")) + "layers: [relu]\n",
    "names that are read": f"layers: [{listed(*of_each(2000, '{relu: true, from: no#}'))}]\n",
    "names inside a layer": (
        "layers: [{layers: [relu, relu], name: a}, "
        f"{listed(*of_each(2000, '{relu: true, from: a.no#}'))}]\n"
    ),
    "names that are shared": (
        f"layers: [{listed(*of_each(2000, '{conv: 1, filters: 2, share: no#}'))}]\n"
    ),
    "blocks": (
        f"blocks: {{{listed(*of_each(500, 'b#: {layers: [relu]}'))}}}\n"
        f"layers: [{listed(*of_each(2000, '{block: c#}'))}]\n"
    ),
    "arguments": (
        "blocks: {b: {layers: [relu]}}\n"
        f"layers: [{{block: b, with: {{{listed(*of_each(2000, 'no#: 1'))}}}}}]\n"
    ),
    "ops": f"layers: [{listed(*of_each(2000, '{cnv#: 3x3}'))}]\n",
    "names in expressions": (
        f"params: {{{listed(*of_each(500, 'p#: 1'))}}}\n"
        f"layers: [{listed(*of_each(2000, '{conv: 1, filters: no#}'))}]\n"
    ),
    "activations": (
        f"layers: [{listed(*of_each(2000, '{residual: {body: [relu], activation: r#}}'))}]\n"
    ),
    "errata": f"layers: [{{relu: true, errata: [{listed(*of_each(2000, 'E#'))}]}}]\n",
    "outputs": f"outputs: [{listed(*of_each(2000, 'no#'))}]\nlayers: [relu]\n",
    "defaults": f"defaults: {{{listed(*of_each(2000, 'no#: {}'))}}}\nlayers: [relu]\n",
    "parameters": (
        f"params: {{{listed(*of_each(2000, 'p#: {tpe: int, default: 1}'))}}}\nlayers: [relu]\n"
    ),
    "keys without a value": f"layers: [{{linear: 1, {listed(*of_each(2000, 'fo#: '))}}}]\n",
    "keys that stand twice": "title: a\n" * 2001 + "layers: [relu]\n",
}


def found_in(path: Path) -> tuple[Diagnostic, ...]:
    try:
        _, report, spec = draft_graph(path)
    except CompileError as error:
        return error.diagnostics
    return in_file_order(report.diagnostics, spec.texts)


def errors_of(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    return [d for d in found if d.severity == "error"]


@pytest.mark.parametrize("what", MISTAKES)
def test_the_first_fifty_are_shown_and_the_rest_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    spec = tmp_path / "s.yaml"
    spec.write_text(HEAD + MISTAKES[what])
    compared = 0
    nearest = suggest.nearest

    def counting(word: str, known: Iterable[str]) -> str | None:
        nonlocal compared
        words = list(known)
        compared += len(words) if len(words) > 100 else 0  # more than the language's own words
        return nearest(word, words)

    monkeypatch.setattr(suggest, "nearest", counting)
    found = errors_of(found_in(spec))
    *shown, more = found
    assert more.code == "more-errors"
    assert len(shown) == 50
    assert more.message.endswith(" more errors; the first 50 are shown")
    rest = int(more.message.split()[1].replace(",", ""))
    assert rest == 1950
    assert more.help == "the limit is 50; NETDRAFT_LIMIT_ERRORS sets another"
    assert compared <= 50 * 2010


def test_changes_of_layers_that_are_not_there(tmp_path: Path) -> None:
    names = "".join(of_each(2000, "  - {relu: true, name: a#}\n"))
    (tmp_path / "base.yaml").write_text(f"{HEAD}layers:\n{names}")
    changes = "".join(of_each(2000, "  - {remove: b#}\n"))
    (tmp_path / "s.yaml").write_text(f"network: v\nextends: base.yaml\nchanges:\n{changes}")
    assert errors_of(found_in(tmp_path / "s.yaml"))[-1].message == (
        "and 1,950 more errors; the first 50 are shown"
    )


def test_the_whole_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NETDRAFT_LIMIT_ERRORS", "1")
    layers = "".join(of_each(3, "  - {relu: true, from: no#}\n"))
    Path("s.yaml").write_text(f"{HEAD}layers:\n{layers}")
    found = found_in(Path("s.yaml"))
    assert as_text(found, {"s.yaml": Path("s.yaml").read_text()}) == (
        """\
error[unknown-layer]: there is no layer `no0` to read here
 --> s.yaml:4:24
  |
4 |   - {relu: true, from: no0}
  |                        ^^^
  |
  = help: in reach are `image`, `relu`, `relu_2`, `relu_3`

error[more-errors]: and 2 more errors; the first is shown
 --> s.yaml:5:24
  |
5 |   - {relu: true, from: no1}
  |                        ^^^ the next one
  |
  = help: the limit is 1; NETDRAFT_LIMIT_ERRORS sets another
"""
    )


@pytest.mark.parametrize("format", ["text", "json", "sarif", "github"])
def test_every_format_says_how_many_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], format: str
) -> None:
    layers = "".join(of_each(3000, "  - {relu: true, from: no#}\n"))
    (tmp_path / "s.yaml").write_text(f"{HEAD}layers:\n{layers}")
    assert main(["check", str(tmp_path / "s.yaml"), "--format", format]) == 1
    said = capsys.readouterr()
    assert "and 2,950 more errors; the first 50 are shown" in said.out + said.err
    assert len(said.out + said.err) < 60_000
    if format == "text":
        assert said.out.endswith("s.yaml: t, 6001 operations: 3,000 errors\n")
    if format == "json":
        assert len(json.loads(said.out)) == 51


def test_warnings_have_their_own_count(tmp_path: Path) -> None:
    parameters = listed(*of_each(60, "p#: 1"))
    (tmp_path / "s.yaml").write_text(f"{HEAD}params: {{{parameters}}}\nlayers: [relu]\n")
    found = found_in(tmp_path / "s.yaml")
    assert [d.code for d in found] == ["unused-parameter"] * 50 + ["more-warnings"]
    assert found[-1].severity == "warning"
    assert found[-1].message == "and 10 more warnings; the first 50 are shown"


def test_one_mistake_in_a_block_that_is_used_often_is_one_and_guessed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(suggest, "nearest", lambda word, known: calls.append(word))
    block = "blocks: {b: {layers: [{relu: true, from: nosuch}]}}\n"
    (tmp_path / "s.yaml").write_text(f"{HEAD}{block}layers: [{{block: b, repeat: 300}}]\n")
    assert [d.code for d in found_in(tmp_path / "s.yaml")] == ["unknown-layer"]
    assert calls == ["nosuch"]


def test_findings_that_come_back_in_an_error_are_counted_once() -> None:
    report = Report()
    for line in range(60):
        report.add(Diagnostic("bad-value", "a fault", Span("s.yaml", line + 1, 1)))
    report.add_all(CompileError(report.diagnostics).diagnostics)
    assert report.counts["error"] == 60
    assert len(report.diagnostics) == 51
    assert report.diagnostics[-1].message == "and 10 more errors; the first 50 are shown"


def test_of_many_known_words_those_alone_are_compared_that_can_be_near(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = [f"{'x' * (i % 50)}{i}" for i in range(100_000)] + ["inception"]
    compared: list[str] = []
    matches = difflib.get_close_matches

    def counting(word: str, words: dict[str, str], n: int, cutoff: float) -> list[str]:
        compared.extend(words)
        return matches(word, words, n, cutoff)

    monkeypatch.setattr("compiler.errors.suggest.get_close_matches", counting)
    assert suggest.did_you_mean("incepton", known) == " (did you mean `inception`?)"
    assert len(compared) <= 1000
