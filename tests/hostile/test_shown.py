"""What a terminal would obey is shown escaped, whoever wrote it and whatever prints it."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from compiler import __main__ as command_line
from compiler.errors import UsageError, on_one_line, shown

HOSTILE = {
    "escape": "a\x1b[31mb",
    "bell": "a\x07b",
    "bidi override": "a\u202eb",
    "zero width": "a\u200bb",
    "carriage return": "a\rb",
    "one-byte sequence": "a\x9b31mb",
    "line separator": "a\u2028b",
    "tag": "a\U000e0041b",
    "line": "a\nx.yaml: t, 3 operations: ok",
    "markup": "</svg><script>alert(1)</script>&amp;]]>",
    "quotes": 'a"""b\\',
    "no character": "a\ufffeb",
}
SPEC = """network: t
title: {0}
doc: {0}
input: {{image: [3, 16, 16]}}
blocks: {{b: {{title: {0}, doc: {0}, layers: [{{conv: 3x3, filters: 4, title: {0}}}]}}}}
layers: [{{block: b, name: a, title: {0}}}, global_avg_pool, {{linear: 5, name: fc}}]
claims: [{{of: text, text: {0}, source: {0}}}]
"""


def hidden(text: str) -> list[str]:
    """Return what stands in a text and is not shown, but for line ends."""
    categories = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return [c for c in text if unicodedata.category(c) in categories and c != "\n"]


def quoted(text: str) -> str:
    """Return a text in YAML's double quotes, each character as an escape."""
    return '"' + "".join(f"\\U{ord(c):08x}" for c in text) + '"'


@pytest.fixture(params=HOSTILE)
def words(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give some hostile words, which are every text of `t.yaml` in the current folder."""
    monkeypatch.chdir(tmp_path)
    text = HOSTILE[request.param]
    Path("t.yaml").write_text(SPEC.format(quoted(text)), encoding="utf-8")
    return text


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert command_line.main(arguments) == code
    said = capsys.readouterr()
    assert hidden(said.out + said.err) == []
    return said.out + said.err


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a\x1b[31m\x07", r"a\u001b[31m\u0007"),
        ("\u202e\u200b\ufeff\u2028", r"\u202e\u200b\ufeff\u2028"),
        ("\x7f\x9b\r\x00", r"\u007f\u009b\u000d\u0000"),
        ("\U000e0041", r"\udb40\udc41"),
        ("\udcff", r"\udcff"),
        ("3×3 残差 é\u00a0\u3000\n\t", "3×3 残差 é\u00a0\u3000\n\t"),
    ],
)
def test_escapes(text: str, escaped: str) -> None:
    assert shown(text) == escaped
    assert str(UsageError(text)) == escaped


def test_a_field_cannot_make_a_line() -> None:
    assert on_one_line("a\nb\tc\x1b") == r"a\nb c\u001b"


def test_texts_for_people(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = run(capsys, "check", "t.yaml")
    assert line == f"t.yaml: {on_one_line(words)}, 4 operations: ok\n"
    head = run(capsys, "summary", "t.yaml").splitlines()[0]
    assert head == f"{on_one_line(words)}  (t)"


def test_data_says_the_same(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(run(capsys, "summary", "t.yaml", "--format", "json"))["title"] == words
    assert yaml.safe_load(run(capsys, "check", "t.yaml", "--emit", "spec"))["title"] == words


@pytest.mark.parametrize("form", ["svg", "tikz", "dot", "html", "json"])
def test_figures(words: str, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "render", "t.yaml", "--depth", "all", "--format", form, "-o", "figure")
    text = Path("figure").read_text(encoding="utf-8")
    assert [c for c in hidden(text) if c != "\t"] == []
    if form == "html":
        assert "<script>alert" not in text
    if form == "svg":
        ElementTree.fromstring(text)


def test_keys_that_are_wrong(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    key = quoted(words)
    Path("t.yaml").write_text(f"network: t\n{key}: 1\nlayers: [{{{key}: 1}}]\n", encoding="utf-8")
    for form in ("text", "json", "sarif", "github"):
        run(capsys, "check", "t.yaml", "--format", form, code=1)
    run(capsys, "check", words.replace("/", ""), code=2)
