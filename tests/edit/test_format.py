"""`fmt`: spaces in order, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.cli.main import main
from compiler.edit.format import format_text
from compiler.errors import CompileError
from compiler.spec.shipped import shipped_names, shipped_spec
from compiler.text import parse_yaml, plain


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: [ 1,2 ,3 ]\n", "a: [1, 2, 3]\n"),
        ("a: { b : 1,c:  2 }\n", "a: {b: 1, c: 2}\n"),
        ("a:   1   # why  \n\n\n", "a:   1   # why\n"),
        ("a: [b,\n    c]", "a: [b,\n    c]\n"),
        ("a: 'x ,y'\nb: [\"p ,q\"  ,r]\n", "a: 'x ,y'\nb: [\"p ,q\", r]\n"),
        ("a: >\n  one  \n\n  two\n", "a: >\n  one  \n\n  two\n"),
        ("a: [ 1 ]\nb: >-\n  one  \n", "a: [1]\nb: >-\n  one  \n"),
        ("a: [é ,b]  \r\n", "a: [é, b]\r\n"),
        ("a: {b: , c: [ ]}\n", "a: {b: , c: []}\n"),
        ("# first\na: &x {b: 1}\nc: [ *x , 2]\n", "# first\na: &x {b: 1}\nc: [*x, 2]\n"),
    ],
)
def test_spaces_are_set_in_order(before: str, after: str) -> None:
    assert format_text(before, "f") == after
    assert format_text(after, "f") == after


BLOCK_STYLE = """\
layers:
  - name: a
    filters: 4
    conv: 3x3
    stride: 2
  - name: r
    residual:
      body: [{stride: 1, max_pool: 3x3}]
    when: x
"""
BLOCK_STYLE_IN_ORDER = """\
layers:
  - conv: 3x3
    name: a
    filters: 4
    stride: 2
  - residual:
      body: [{max_pool: 3x3, stride: 1}]
    name: r
    when: x
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("layers: [{name: a, conv: 1x1, bias: x}]\n", "layers: [{conv: 1x1, name: a, bias: x}]\n"),
        ("layers: [{scale: x, batch_norm: true}]\n", "layers: [{batch_norm: true, scale: x}]\n"),
        (
            "changes: [{after: a, insert: [{name: b, scale: 2}]}]\n",
            "changes: [{after: a, insert: [{scale: 2, name: b}]}]\n",
        ),
        (
            "layers: [{split: {p: [{name: a, scale: 2}]}}]\n",
            "layers: [{split: {p: [{scale: 2, name: a}]}}]\n",
        ),
        (BLOCK_STYLE, BLOCK_STYLE_IN_ORDER),
    ],
)
def test_the_op_of_a_layer_goes_first(before: str, after: str) -> None:
    assert format_text(before, "f") == after


@pytest.mark.parametrize(
    "text",
    [
        "changes: [{set: a, filters: 3, conv: 1x1}]\n",  # no layer
        "claims: [{text: one, scale: 2}]\n",
        "layers:\n  - name: a  # the first\n    conv: 3x3\n",  # of which key is the comment?
        "layers: [{filters: &n 3, conv: *n}]\n",
        "layers: [{<<: {name: a}, conv: 3x3}]\n",
    ],
)
def test_an_op_stays_behind_what_must_be_before_it(text: str) -> None:
    assert format_text(text, "f") == text


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_specs_are_in_order(name: str) -> None:
    path = shipped_spec(name)
    assert path is not None
    text = path.read_bytes().decode()
    assert format_text(text, name) == text


@given(st.text(alphabet="ab:,[]{} \n#'\"-&*>|é", max_size=40))
def test_whatever_is_yaml_says_the_same_afterwards(text: str) -> None:
    try:
        before = plain(parse_yaml(text, "f"))
    except CompileError:
        return
    result = format_text(text, "f")
    assert plain(parse_yaml(result, "f")) == before
    assert format_text(result, "f") == result


def test_a_file_in_order_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "net.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: [ 1 ]\r\n")
    assert main(["fmt", str(file), "--check"]) == 1
    assert file.read_bytes() == b"\xef\xbb\xbfa: [ 1 ]\r\n"
    assert main(["fmt", str(file)]) == 0
    assert file.read_bytes() == b"\xef\xbb\xbfa: [1]\r\n"
    inode = file.stat().st_ino
    capsys.readouterr()
    assert main(["fmt", str(file)]) == 0
    assert (file.stat().st_ino, capsys.readouterr().out) == (inode, "")


def test_what_is_no_yaml_is_said_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text("a: [ 1\n")
    assert main(["fmt", str(file)]) == 1
    assert file.read_text() == "a: [ 1\n"


def test_files_beside_one_that_is_no_yaml_are_set_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("layers: [relu\n")
    Path("b.yaml").write_text("layers: [ relu ]\n")
    assert main(["fmt", "a.yaml", "b.yaml"]) == 1
    said = capsys.readouterr()
    assert said.out == "b.yaml: set in order\n"
    assert said.err.splitlines()[:4] == [
        "error[yaml-syntax]: the `[` that opens here is not closed",
        " --> a.yaml:1:9",
        "  |",
        "1 | layers: [relu",
    ]
    assert Path("b.yaml").read_text() == "layers: [relu]\n"
