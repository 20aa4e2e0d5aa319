"""`netdraft: 1`: the version of the language, in a spec, its base, what it imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.cli.main import main
from compiler.errors import CompileError
from compiler.pipeline import load_graph

NET = "network: net\ninput: {image: [3, 8, 8]}\nlayers: [relu]\n"


def test_a_file_of_this_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"netdraft: 1\n{NET}", encoding="utf-8")
    assert list(load_graph(path).nodes) == ["image", "relu"]


def test_a_newer_file_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text("netdraft: 2\nnetwork: net\nstages: [3, 4]\n", encoding="utf-8")
    assert main(["check", "net.yaml"]) == 1
    assert capsys.readouterr().err == (
        "error[unknown-version]: the file is written in version 2 of the language, this\n"
        "  netdraft reads version 1\n"
        " --> net.yaml:1:11\n"
        "  |\n"
        "1 | netdraft: 2\n"
        "  |           ^\n"
        "  |\n"
        "  = help: install a newer one: `pip install --upgrade netdraft`\n\n"
    )


@pytest.mark.parametrize("key", ["extends", "import"])
def test_so_is_one_that_it_reads(tmp_path: Path, key: str) -> None:
    (tmp_path / "other.yaml").write_text(f"netdraft: 7\n{NET}", encoding="utf-8")
    path = tmp_path / "net.yaml"
    path.write_text(f"{NET}{key}: other.yaml\n", encoding="utf-8")
    with pytest.raises(CompileError) as error:
        load_graph(path)
    (found,) = error.value.diagnostics
    assert found.message == (
        "the file is written in version 7 of the language, this netdraft reads version 1"
    )
    assert found.span.file.endswith("other.yaml")


@pytest.mark.parametrize(
    ("written", "shown"),
    [("one", "the text `one`"), ("1.5", "`1.5`"), ("0", "`0`"), ("true", "`true`")],
)
def test_a_version_is_a_number(tmp_path: Path, written: str, shown: str) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"netdraft: {written}\n{NET}", encoding="utf-8")
    with pytest.raises(CompileError) as error:
        load_graph(path)
    (found,) = error.value.diagnostics
    assert (found.message, found.help) == (
        f"`netdraft` is the version of the language, a whole number, found {shown}",
        "write `netdraft: 1`",
    )
