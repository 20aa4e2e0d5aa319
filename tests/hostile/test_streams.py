"""Standard output that is closed, full or left, and a current folder that is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.commands import shell

COMMANDS = [
    "check t.yaml",
    "check t.yaml --format json",
    "check t.yaml --emit graph",
    "summary t.yaml",
    "render t.yaml",
    "render t.yaml --format png",
    "build t.yaml --emit graph",
]
FULL = "error: standard output cannot be written: No space left on device\n"
CLOSED = "error: standard output cannot be written: Bad file descriptor\n"


@pytest.mark.parametrize("command", [*COMMANDS, "--help", "check --help", "--version"])
def test_a_full_disk_behind_standard_output(command: str, tmp_path: Path) -> None:
    done = shell(f"netdraft {command} > /dev/full", tmp_path)
    assert (done.returncode, done.stderr) == (2, FULL)


@pytest.mark.parametrize("command", COMMANDS)
def test_standard_output_that_is_closed(command: str, tmp_path: Path) -> None:
    done = shell(f"netdraft {command} >&-", tmp_path)
    assert (done.returncode, done.stderr) == (2, CLOSED)


def test_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    done = shell("netdraft render t.yaml | head -c 5", tmp_path)
    assert (done.stdout, done.stderr) == ("<?xml", "")


def test_a_reader_that_has_gone_does_not_change_the_exit_code(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text(f"network: {name}\nlayers: [rleu]\n")
    wait = "exec <&-; until [ -e code ]; do sleep 0.1; done"
    gone = f"{{ %s; echo $? > code; }} 2>&1 | ({wait}); cat code; rm code"
    done = shell(gone % "netdraft check a.yaml b.yaml", tmp_path)
    assert (done.stdout, done.stderr) == ("1\n", "")
    done = shell(gone % "netdraft check t.yaml", tmp_path)
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", ">&- 2>&-"])
def test_what_standard_error_cannot_take_is_in_the_exit_code(closed: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("network: t\n")
    done = shell(f"netdraft summary wrong.yaml {closed}", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_file_does_not_take_the_number_of_closed_output(tmp_path: Path) -> None:
    done = shell("netdraft render t.yaml -o fig.svg <&- >&- 2>&-; head -c 5 fig.svg", tmp_path)
    assert done.stdout == "<?xml"


@pytest.mark.parametrize("command", ["check inception_v4", "render inception_v4 -o x.svg"])
def test_a_current_folder_that_was_removed(command: str, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    done = shell(f"cd gone && rmdir ../gone && netdraft {command}", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: the current folder was removed; change to one that exists\n"
