"""What is written is there whole or not at all, whatever happens while it is written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from compiler.errors import UsageError
from compiler.files import check_folder, write_file, write_together, write_with
from tests.hostile.commands import ROOT, SMALL, shell

HALF = """
import sys, time
from pathlib import Path
from compiler.files import write_with

def write(temporary):
    with open(temporary, "wb", buffering=0) as out:
        out.write(b"half")
        Path(sys.argv[2]).touch()
        time.sleep(60)

write_with(Path(sys.argv[1]), write)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("before", [b"old", None])
def test_killed_while_writing(before: bytes | None, tmp_path: Path) -> None:
    target, mark = tmp_path / "x.bin", tmp_path / "began"
    if before is not None:
        target.write_bytes(before)
    command = [sys.executable, "-c", HALF, str(target), str(mark)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        while not mark.exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert (target.read_bytes() if target.exists() else None) == before


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def write(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise KeyError("a fault of ours")

    with pytest.raises(KeyError):
        write_with(tmp_path / "x.bin", write)
    assert names(tmp_path) == []


def test_a_full_disk_keeps_the_old_file(full_disk: Path) -> None:
    path = write_file(full_disk / "x.bin", b"old")
    with pytest.raises(UsageError) as caught:
        write_file(path, bytes(1 << 20))
    assert str(caught.value) == f"{path} cannot be written: No space left on device"
    assert path.read_bytes() == b"old"
    assert names(full_disk) == ["x.bin"]


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("render inception_v4", "x.html"),
        ("build wide.yaml --device cpu --save-weights", "t.safetensors"),
        ("build wide.yaml --device cpu --target onnx", "t.onnx"),
        ("build wide.yaml --device cpu --target export", "t.pt2"),
    ],
)
def test_a_full_disk_is_a_sentence(
    command: str, name: str, full_disk: Path, tmp_path: Path
) -> None:
    (tmp_path / "wide.yaml").write_text(SMALL.replace("linear: 5", "linear: 20000"))
    where = f"{full_disk}/{name}" if name == "x.html" else str(full_disk)
    done = shell(f"netdraft {command} -o {where}", tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"error: {full_disk / name} cannot be written: No space left on device\n"
    assert [n for n in names(full_disk) if n not in ("t.py", "t.graph.txt", "t.summary.json")] == []


@pytest.mark.parametrize(
    "command",
    ["build t.yaml -o {0} --device cpu", "build t.yaml -o {0}/x/y", "bench t.yaml -o {0}"],
)
def test_a_folder_that_may_not_be_written_is_refused_first(
    command: str, read_only: Path, tmp_path: Path
) -> None:
    done = shell(f"netdraft {command.format(read_only)}", tmp_path)
    where = command.format(read_only).split()[3]
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {where} cannot be written: Read-only file system\n"


def test_a_file_in_a_folder_that_may_not_be_written(read_only: Path, tmp_path: Path) -> None:
    done = shell(f"netdraft render t.yaml -o {read_only}/x.svg", tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"error: {read_only}/x.svg cannot be written: Read-only file system\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("render t.yaml -o {long}.svg", "{long}.svg cannot be written: File name too long"),
        ("build t.yaml -o {long}", "{long} cannot be written: File name too long"),
        ("bench t.yaml -o {long}", "{long} cannot be written: File name too long"),
        ("render t.yaml -o t.yaml/x.svg", "t.yaml/x.svg cannot be written: Not a directory"),
        ("build t.yaml -o t.yaml/x", "t.yaml/x cannot be written: Not a directory"),
        ("build t.yaml -o t.yaml", "t.yaml is a file, not a folder"),
        ("render t.yaml --format svg -o folder", "folder cannot be written: Is a directory"),
        ("build t.yaml --weights {long}", "{long} does not exist"),
        ("build t.yaml --weights /dev/zero", "/dev/zero is a pipe or a device, not a file"),
        ("build t.yaml --weights folder", "folder is a folder, not a file"),
        (
            "build t.yaml --weights /proc/self/mem",
            "/proc/self/mem cannot be read: Input/output error",
        ),
        ("build t.yaml --image {long}", "{long}: there is no such file"),
        ("build t.yaml --image /dev/zero", "/dev/zero is a pipe or a device, not a file"),
        ("build t.yaml --image folder", "folder is a folder, not a file"),
    ],
)
def test_names_that_cannot_be(command: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    long = "x" * 300
    done = shell(f"netdraft {command.format(long=long)}", tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"error: {words.format(long=long)}\n"


def test_the_longest_name_that_can_be(tmp_path: Path) -> None:
    path = write_file(tmp_path / ("x" * 251 + ".svg"), b"new")
    assert path.read_bytes() == b"new"
    assert len(names(tmp_path)) == 1


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    assert write_file(tmp_path / "link", b"new") == tmp_path / "link"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_device_and_a_pipe_stay_what_they_are(tmp_path: Path) -> None:
    done = shell(
        "mkfifo pipe; cat pipe > got & netdraft render t.yaml --format svg -o pipe; wait\n"
        "head -c 5 got; test -p pipe && netdraft render t.yaml --format svg -o /dev/full\n"
        "test -c /dev/full",
        tmp_path,
    )
    assert (done.returncode, done.stdout) == (0, "<?xml")
    assert done.stderr == (
        "wrote pipe\nerror: /dev/full cannot be written: No space left on device\n"
    )


def test_files_that_belong_together(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "data").write_bytes(b"1")
        (folder / "index").write_bytes(b"2")

    places = (tmp_path / "new" / "data", tmp_path / "new" / "index")
    assert write_together(places, write) == places
    assert names(tmp_path / "new") == ["data", "index"]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = write_with(tmp_path / "x", lambda temporary: os.open(temporary, os.O_CREAT, 0o600))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_folder_that_can_be_made_is_not_made(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b")
    assert names(tmp_path) == []


def test_a_build_writes_what_it_says(tmp_path: Path) -> None:
    done = shell("netdraft build t.yaml -o out --device cpu", tmp_path)
    assert done.returncode == 0
    assert names(tmp_path / "out") == ["t.graph.txt", "t.py", "t.summary.json"]
    assert (tmp_path / "t.yaml").read_text() == SMALL


REFUSED = {
    "onnx": "network: t\ninput: {image: [3, H, W]}\nlayers: [{adaptive_avg_pool: 4x3}]\n",
    "export": "network: t\ninput: {image: [3]}\nlayers: [{linear: 1, name: code}]\n",
}
"""What one target cannot hold, and the others can."""


@pytest.mark.parametrize(
    "targets", ["source,onnx", "onnx,source", "source,export", "onnx,export", "export,onnx"]
)
def test_a_target_that_refuses_leaves_nothing(targets: str, tmp_path: Path) -> None:
    refuses = "export" if "export" in targets else "onnx"
    (tmp_path / "w.yaml").write_text(REFUSED[refuses])
    command = f"netdraft build w.yaml -o a/b --device cpu --save-weights --target {targets}"
    done = shell(command, tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith(
        "depend on the size HxW; fix the input size\n"
        if refuses == "onnx"
        else "its programs have an attribute of that name; give the layer another one\n"
    )
    assert "sizes that fit" not in done.stdout
    assert names(tmp_path) == ["t.yaml", "w.yaml"]


def test_a_place_that_is_taken_keeps_all_others_empty(tmp_path: Path) -> None:
    (tmp_path / "out" / "t.summary.json").mkdir(parents=True)
    done = shell("netdraft build t.yaml -o out --device cpu --target source,onnx", tmp_path)
    assert done.returncode == 2
    assert done.stderr == "error: out/t.summary.json cannot be written: Is a directory\n"
    assert names(tmp_path / "out") == ["t.summary.json"]
