"""A spec from a stranger is data."""

from __future__ import annotations

import ast
import json
import time
from pathlib import Path

import pytest

from backends.torch.source import emit_source
from compiler.__main__ import main
from tests.cases.conftest import Draft


@pytest.mark.parametrize(
    "code",
    [
        "\"__import__('os').system('touch pwned')\"",
        '"().__class__"',
        '"[x for x in (1,)]"',
        '"2**99999999"',
        "\"'a'*10**9\"",
        '"lambda: 0"',
        "open('pwned')",
        "k.__class__",
        "9999999999999999999999 * 9999999999999999999999",
        '"' + "(" * 300 + "1" + ")" * 300 + '"',
        '"' + "9" * 3000 + '"',
    ],
)
def test_code_is_no_expression(draft: Draft, code: str) -> None:
    """See WongKinYiu/yolov7#1920: model files were evaluated as Python."""
    start = time.monotonic()
    found = draft.layers("8x9x9", f"{{conv: 1x1, filters: {code}}}", head="params: {k: 3}\n")
    assert time.monotonic() - start < 1
    assert len(found.errors) == 1, found.text
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.getcwd []", "!!python/name:os.system ''", "!custom {a: 1}"]
)
def test_tags_are_refused(draft: Draft, tag: str) -> None:
    """See Peterande/D-FINE#354: an unsafe loader ran a tag."""
    found = draft.layers("8x9x9", f"{{conv: 1x1, filters: {tag}}}")
    assert "yaml-tag" in found.errors
    assert "spec.yaml:4:" in found.text


def test_aliases_that_multiply_are_refused_and_a_long_file_is_not(draft: Draft) -> None:
    """See yaml/pyyaml#235 (9^8 leaves) and microsoft/apm#2493 (a guard against mere length)."""
    levels = ["a0: &a0 [x]"] + [
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)
    ]
    start = time.monotonic()
    found = draft("\n".join(levels) + "\n")
    assert time.monotonic() - start < 1
    assert "alias-bomb" in found.errors
    long = "# a comment\n" * 400_000  # 4.8 MB
    assert draft(f"{long}network: n\ninput: {{x: [8, 9, 9]}}\nlayers: [relu]\n").out == "8x9x9"


@pytest.mark.parametrize(
    "name", ["../../x", "a; touch pwned", "x): pass", "a/b", "", "a\nb", "a b"]
)
def test_names_are_identifiers(draft: Draft, name: str) -> None:
    quoted = f"'{name}'" if "\n" not in name else '"a\\nb"'
    for text in (
        f"network: {quoted}\ninput: {{x: [8, 9, 9]}}\nlayers: [relu]\n",
        f"network: n\ninput: {{x: [8, 9, 9]}}\nlayers: [{{relu: true, name: {quoted}}}]\n",
        f"network: n\ninput: {{x: [8, 9, 9]}}\nblocks: {{{quoted}: {{layers: [relu]}}}}\n"
        "layers: [relu]\n",
    ):
        assert draft(text).errors, text
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    "text",
    [
        'ends """ here\nimport os; os.system("touch pwned")',
        "a backslash \\ and '''quotes'''",
        "curly {__import__('os')} and %s and \u2028 and \0",
        '"""',
        "ends with a backslash \\",
        "returns\r, feeds \f and next lines \x85",
    ],
)
def test_text_of_a_spec_stays_text_in_source(draft: Draft, text: str) -> None:
    quoted = json.dumps(text)
    found = draft(
        f"network: n\ndoc: {quoted}\ntitle: {quoted}\ninput: {{x: [8, 9, 9]}}\n"
        f"layers:\n  - {{relu: true, doc: {quoted}, label: {quoted}}}\n"
    )
    assert found.errors == [], found.text
    assert found.graph is not None
    tree = ast.parse(emit_source(found.graph))
    allowed = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.Expr, ast.If)
    assert all(isinstance(node, (*allowed, ast.Assign, ast.AnnAssign)) for node in tree.body)
    imported = {
        a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names
    }
    assert imported <= {"torch", "sys", "argparse", "time", "__future__"}
    assert not Path("pwned").exists()


def test_nothing_is_written_outside_the_output_folder(
    draft: Draft, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = "network: '../../x'\ninput: {x: [8, 9, 9]}\nlayers: [relu]\n"
    Path("bad.yaml").write_text(spec, encoding="utf-8")
    assert main(["build", "bad.yaml", "-o", "out"]) == 1
    assert "bad.yaml:1:10" in capsys.readouterr().err
    assert not Path("out").exists()
