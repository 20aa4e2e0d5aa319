"""What is kept from one run to the next: many writers, full disks, contents that are wrong."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from backends.native import library
from backends.native.library import load_library
from backends.native.weight_file import move_to_file
from backends.native.weights import Packed
from backends.run.optimized import optimize
from backends.run.tune import LockFile, Tuned
from backends.state import cache
from backends.torch.module import build_module
from compiler.errors import BackendError
from tests.hostile.commands import ROOT, SMALL
from tests.passes.random_specs import graph_of

ENTRY = Tuned("eager", {"eager": 1.0, "plain": 2.5}, {"a.conv": "bfloat16"}, {"native": "why"})
RAW = {"target": "eager", "milliseconds": {"eager": 1}}
ANEW = "; what is missing is made anew"
WAY_OUT = "; set XDG_CACHE_HOME to a folder with room that can be written"
COMPILER = next(filter(None, map(shutil.which, ("g++", "clang++", "c++"))), None)
kernels = pytest.mark.skipif(COMPILER is None, reason="there is no C++ compiler")

WRITER = """
import sys
from pathlib import Path
from backends.engine.tune import LockFile, Tuned

lock = LockFile(Path(sys.argv[1]))
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    lock.write(f"{sys.argv[2]} {number}", Tuned("eager", {"eager": float(number)}))
"""

NETWORK = """
import sys, torch
from backends.engine import optimized
from backends.native import library
from backends.torch.module import build_module
from tests.passes.random_specs import graph_of

library._FLAGS = ("-O0", *library._FLAGS[1:])
optimized.TARGETS = {n: optimized.TARGETS[n] for n in ("plain", "eager", "native", "native_lean")}
module = build_module(graph_of(sys.argv[1])).eval()
image = torch.ones(1, 3, 16, 16)
for target in ("auto", "auto", "native_lean"):
    made = optimized.optimize(module).for_inference(target=target)(image)
    torch.testing.assert_close(made, module(image), rtol=1e-4, atol=1e-5)
    print("same")
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


def in_the_way(place: Path) -> None:
    (place / "netdraft").write_text("a file")


@pytest.fixture(params=["full", "read only", "a file", "a device"])
def refusing(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """Give a folder for caches in which nothing can be kept, and why."""
    match request.param:
        case "full":
            place: Path = request.getfixturevalue("full_disk")
            (place / "netdraft").mkdir()
            with pytest.raises(OSError, match="No space"):
                (place / "fill").write_bytes(bytes(1 << 20))
            return place, "No space left on device"
        case "read only":
            return request.getfixturevalue("read_only"), "Read-only file system"
        case "a file":
            in_the_way(tmp_path)
            return tmp_path, "Not a directory"
    return Path("/dev/null"), "Not a directory"


def run_network(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", NETWORK, SMALL]
    environment = {"OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"], **environment}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


@kernels
@pytest.mark.exe
def test_a_network_runs_where_nothing_can_be_kept(refusing: tuple[Path, str]) -> None:
    place, reason = refusing
    done = run_network({"XDG_CACHE_HOME": str(place)})
    assert (done.returncode, done.stdout) == (0, "same\nsame\nsame\n")
    (line,) = done.stderr.splitlines()
    start, _, end = line.partition(" cannot be written: ")
    assert start.startswith(f"nothing is kept for the next run: {place}/netdraft/")
    assert end == f"{reason}{WAY_OUT}"


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


@pytest.fixture
def kept_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the place of kernels that were kept; they are compiled without being optimised."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(library, "_FLAGS", ("-O0", *library._FLAGS[1:]))
    load_library.__wrapped__()
    return next((tmp_path / "netdraft").glob("kernels-*.so"))


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


@kernels
@pytest.mark.exe
def test_damaged_kernels_are_compiled_anew(kept_kernels: Path, said: list[str]) -> None:
    whole = kept_kernels.read_bytes()
    for damage in (halve, flip, lambda path: path.write_bytes(b"")):
        copy = kept_kernels.with_suffix(".copy")  # what this process has loaded stays whole
        copy.write_bytes(whole)
        damage(copy)
        copy.replace(kept_kernels)
        assert load_library.__wrapped__().width > 0
        assert len(kept_kernels.read_bytes()) == len(whole)
    assert said == [f"{kept_kernels} is damaged{ANEW}"]


@kernels
@pytest.mark.exe
def test_one_of_several_processes_compiles(tmp_path: Path) -> None:
    count = tmp_path / "count"
    wrapper = tmp_path / "c++"
    wrapper.write_text(f'#!/bin/sh\necho "$*" >> {count}\nexec {COMPILER} "$@" -O0\n')
    wrapper.chmod(0o755)
    environment = {**os.environ, "CXX": str(wrapper), "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", "from backends.native.library import *; load_library()"]
    processes = [subprocess.Popen(command, cwd=ROOT, env=environment) for _ in range(3)]
    assert [process.wait(timeout=300) for process in processes] == [0, 0, 0]
    compiled = [line for line in count.read_text().splitlines() if line != "--version"]
    assert len(compiled) == 1


def packs(count: int) -> Iterator[Packed]:
    for number in range(count):
        weights = np.full(2000, number, dtype=np.float32)
        yield Packed(weights, (), weights[:0], ())


def test_weights_move_on_from_a_folder_that_is_full(
    full_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(full_disk))
    moved = move_to_file(packs(20))  # 160 kB; 64 kB is all that there is room for
    assert [float(packed.weights.mean()) for packed in moved] == list(range(20))


def test_weights_that_fit_nowhere_name_the_way_out(
    full_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(full_disk))
    monkeypatch.setattr("tempfile.tempdir", str(full_disk))
    with pytest.raises(BackendError) as caught:
        move_to_file(packs(20))
    assert str(caught.value) == (
        "cannot keep weights in a file: No space left on device; "
        "set XDG_CACHE_HOME or TMPDIR to a folder on a disk with room"
    )
