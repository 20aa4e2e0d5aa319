"""What is kept from one run to the next: many writers, full disks, contents that are wrong."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from backends.run.optimized import optimize
from backends.run.tune import LockFile, Tuned
from backends.state import cache
from backends.torch.module import build_module
from tests.hostile.commands import ROOT, SMALL
from tests.passes.random_specs import graph_of

ENTRY = Tuned("eager", {"eager": 1.0, "plain": 2.5}, {"a.conv": "bfloat16"}, {"native": "why"})
RAW = {"target": "eager", "milliseconds": {"eager": 1}}
ANEW = "; what is missing is made anew"
WAY_OUT = "; set XDG_CACHE_HOME to a folder with room that can be written"
WRITER = """
import sys
from pathlib import Path
from backends.run.tune import LockFile, Tuned

lock = LockFile(Path(sys.argv[1]))
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    lock.write(f"{sys.argv[2]} {number}", Tuned("eager", {"eager": float(number)}))
"""


@pytest.fixture(autouse=True)
def said(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give what is logged, as it comes; nothing was said before."""
    monkeypatch.setattr(cache, "_said", set())
    caplog.set_level(logging.WARNING, "netdraft")
    lines: list[str] = []
    monkeypatch.setattr(cache._LOG, "warning", lines.append)
    return lines


def writer(path: Path, name: str, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", WRITER, str(path), name, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE)


def start(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    process.stdin.write(b"go\n")
    process.stdin.flush()


@pytest.mark.parametrize(("writers", "each"), [(2, 60), (8, 15)])
def test_many_writers_of_one_file(writers: int, each: int, tmp_path: Path) -> None:
    path = tmp_path / "new" / "tune.json"
    processes = [writer(path, str(number), each) for number in range(writers)]
    for process in processes:
        start(process)
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    entries = json.loads(path.read_bytes())["entries"]
    assert set(entries) == {f"{w} {n}" for w in range(writers) for n in range(each)}


def test_killed_while_writing(tmp_path: Path) -> None:
    path = tmp_path / "tune.json"
    LockFile(path).write("before", ENTRY)
    for number in range(3):
        with writer(path, str(number), 10_000) as process:
            start(process)
            while f'"{number} 5"'.encode() not in path.read_bytes():
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
        kept = LockFile(path)
        assert kept.read("before") == ENTRY
        assert all(kept.read(f"{number} {n}") for n in range(5))


def test_a_lock_that_another_process_holds_for_long_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "tune.json"
    with cache.locked(path), cache.locked(path, seconds=0.05):
        LockFile(tmp_path / "other.json").write("a", ENTRY)
    with cache.locked(path, seconds=0.05):
        assert (tmp_path / ".tune.json.lock").exists()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere/x")])
def test_something_else_in_the_place_of_the_lock(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(tmp_path / ".tune.json.lock")
    LockFile(tmp_path / "tune.json").write("a", ENTRY)
    assert LockFile(tmp_path / "tune.json").read("a") == ENTRY


def test_the_oldest_entries_go_when_the_file_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setenv("NETDRAFT_LIMIT_CACHE_BYTES", "500")
    lock = LockFile(tmp_path / "tune.json")
    for key in "abcdef":
        lock.write(key, ENTRY)
    assert [key for key in "abcdef" if lock.read(key)] == ["e", "f"]
    assert (tmp_path / "tune.json").stat().st_size <= 500
    assert said == []


DAMAGED = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"\x80\x00binary",
    b"[" * 200_000,
    b'{"version": 1, "entries": {"a": ' + b"[" * 200_000,
    b'{"version": 1, "entries": [1]}',
    b'{"version": 1}',
    b'{"version": 2, "entries": {}}',
    b'{"version": 1, "entries": {"\\ud800": 1}}',
    b'{"version": 1, "entries": {"a": ' + b"1" * 5000 + b"}",
]


@pytest.mark.parametrize("raw", DAMAGED, ids=range(len(DAMAGED)))
def test_contents_that_are_none_of_ours(raw: bytes, tmp_path: Path, said: list[str]) -> None:
    path = tmp_path / "tune.json"
    path.write_bytes(raw)
    lock = LockFile(path)
    assert lock.read("a") is None
    assert lock.read("b") is None
    lock.write("b", ENTRY)
    assert lock.read("b") == ENTRY
    assert said == [f"{path} holds no tuning results of version 1{ANEW}"]


@pytest.mark.parametrize(
    "entry",
    [
        None,
        3,
        [],
        {},
        {"target": "eager"},
        {**RAW, "other": 1},
        {**RAW, "target": 1},
        {**RAW, "milliseconds": {"eager": "1"}},
        {**RAW, "milliseconds": {"eager": True}},
        {**RAW, "milliseconds": {"eager": float("nan")}},
        {**RAW, "milliseconds": {"eager": 10**400}},
        {**RAW, "milliseconds": []},
        {**RAW, "choices": {"a": 1}},
        {**RAW, "choices": [["a", "b"]]},
        {**RAW, "refused": None},
    ],
    ids=str,
)
def test_entries_are_read_one_by_one(entry: object, tmp_path: Path, said: list[str]) -> None:
    path = tmp_path / "tune.json"
    path.write_text(json.dumps({"version": 1, "entries": {"bad": entry, "good": RAW}}))
    lock = LockFile(path)
    assert lock.read("bad") is None
    assert lock.read("good") == Tuned("eager", {"eager": 1.0})
    assert said == [f"{path} holds 1 of 2 results damaged{ANEW}"]


def test_what_is_too_large_is_not_read(tmp_path: Path, said: list[str]) -> None:
    path = tmp_path / "tune.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert LockFile(path).read("a") is None
    limit = "the limit is 16,777,216; NETDRAFT_LIMIT_CACHE_BYTES sets another"
    assert said == [f"{path} is too large: {limit}{ANEW}"]


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir])
def test_what_is_no_file_is_not_read(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "tune.json")
    assert LockFile(tmp_path / "tune.json").read("a") is None
    LockFile(tmp_path / "tune.json").write("a", ENTRY)  # takes the place of a pipe


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    module = build_module(graph_of(SMALL)).eval()
    image = torch.ones(1, 3, 16, 16)
    fast = optimize(module).for_inference(target="eager")
    torch.testing.assert_close(fast(image), module(image), rtol=1e-4, atol=1e-5)
    fast.lock.write("a", ENTRY)
    assert said == [f"nothing is kept for the next run: there is no home folder{WAY_OUT}"]
