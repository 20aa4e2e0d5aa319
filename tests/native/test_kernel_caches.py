"""Kernels and weights kept from one run to the next: disks that are full, damaged files."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backends.native import compiled_library
from backends.native.compiled_library import load_library
from backends.native.weight_file import move_to_file
from backends.native.weights import Packed
from backends.state import cache
from compiler.errors import BackendError
from tests.hostile.commands import ROOT, SMALL
from tests.kernels import COMPILER, kernels

ANEW = "; what is missing is made anew"
WAY_OUT = "; set XDG_CACHE_HOME to a folder with room that can be written"

NETWORK = """
import sys, torch
from backends.run import candidates, optimized
from backends.native import compiled_library
from backends.torch.module import build_module
from tests.passes.random_specs import graph_of

compiled_library._FLAGS = ("-O0", *compiled_library._FLAGS[1:])
candidates.TARGETS = {n: candidates.TARGETS[n] for n in ("plain", "eager", "native", "native_lean")}
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


@pytest.fixture
def kept_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the place of kernels that were kept; they are compiled without being optimised."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiled_library, "_FLAGS", ("-O0", *compiled_library._FLAGS[1:]))
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
    command = [
        sys.executable,
        "-c",
        "from backends.native.compiled_library import *; load_library()",
    ]
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
