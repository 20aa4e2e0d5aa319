"""Specs of a git revision, with what they import there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from compiler.cli.main import main

NET = """network: net
input: {image: [3, 8, 8]}
import: [blocks/one.yaml]
layers: [{block: one}]
"""
BLOCK = "blocks: {one: {layers: [{conv: 3x3, filters: %d, name: y}]}}\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a repository whose first commit has 4 filters; the working tree has 8."""
    for name, value in (("AUTHOR", "a"), ("COMMITTER", "a")):
        monkeypatch.setenv(f"GIT_{name}_NAME", value)
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "a@example.org")
    monkeypatch.chdir(tmp_path)
    write(tmp_path, 4)
    for command in ("init -q -b main", "add .", "commit -qm first"):
        subprocess.run(["git", *command.split()], check=True)
    write(tmp_path, 8)
    return tmp_path


def write(folder: Path, filters: int) -> None:
    (folder / "nets" / "blocks").mkdir(parents=True, exist_ok=True)
    (folder / "nets" / "net.yaml").write_text(NET, encoding="utf-8")
    (folder / "nets" / "blocks" / "one.yaml").write_text(BLOCK % filters, encoding="utf-8")


def test_imports_are_those_of_the_revision(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", "git:HEAD:nets/net.yaml", "nets/net.yaml", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["before"], data["after"]) == ("HEAD:nets/net.yaml", "nets/net.yaml")
    assert [d["before"] + " " + d["after"] for d in data["changes"][0]["details"]] == ["4 8"]


def test_a_path_is_relative_to_the_current_folder(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository / "nets")
    assert main(["diff", "git:HEAD:net.yaml", "git:HEAD:net.yaml"]) == 0
    assert capsys.readouterr().out.endswith("no difference\n")


def test_a_spec_that_does_not_load_is_no_comparison(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "nets" / "blocks" / "one.yaml").write_text(BLOCK % 0, encoding="utf-8")
    subprocess.run(["git", "commit", "-qam", "wrong"], check=True)
    write(repository, 8)
    assert main(["diff", "git:HEAD:nets/net.yaml", "nets/net.yaml"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "--> HEAD:nets/blocks/one.yaml:1:46" in err


@pytest.mark.parametrize(
    ("operand", "message"),
    [
        ("git:v9:nets/net.yaml", "git: no revision `v9`"),
        ("git:HEAD:nets/other.yaml", "git:HEAD:nets/other.yaml: there is no such file in HEAD"),
        ("git:HEAD", "git:HEAD: write git:REVISION:PATH, as git:HEAD~1:specs/mine.yaml"),
        ("git:--output=x:net.yaml", "git:--output=x:net.yaml: write git:REVISION:PATH, as "
         "git:HEAD~1:specs/mine.yaml"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_wrong_usage(
    repository: Path, operand: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", operand, "nets/net.yaml"]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"error: {message}\n")


def test_what_a_revision_holds_is_bounded(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NETDRAFT_LIMIT_BYTES", "100")
    assert main(["diff", "git:HEAD:nets/net.yaml", "nets/net.yaml"]) == 2
    total = len(NET) + len(BLOCK % 4)
    assert capsys.readouterr().err == (
        f"error: the specs beside nets/net.yaml in HEAD have {total} bytes; the limit is 100; "
        "NETDRAFT_LIMIT_BYTES sets another\n"
    )


def test_outside_a_repository_git_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert main(["diff", "git:HEAD:net.yaml", "inception_v4"]) == 2
    assert capsys.readouterr().err.startswith("error: git: not a git repository")
