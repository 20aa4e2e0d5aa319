"""A network that has no room here is refused by numbers, before anything is made of it."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from backends.torch.module import build_module
from compiler.errors import BackendError
from compiler.facts.available_memory import available_bytes, check_memory
from compiler.pipeline import load_graph
from tests.hostile.commands import ROOT, shell

WIDE = "network: t\ninput: {image: [3, 32, 32]}\nlayers: [flatten, {linear: 10000000, name: fc}]\n"
MEMORY = "MemTotal: 9 kB\nMemAvailable: 4000000 kB\n"
HELP = (
    "  help: make it smaller, or go where there is more memory; "
    "NETDRAFT_LIMIT_MEMORY_PERCENT=1000 tries all the same"
)


@pytest.fixture
def one_gigabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compiler.facts.available_memory.available_bytes", lambda: 10**9)


@pytest.mark.usefixtures("one_gigabyte")
def test_parameters(tmp_path: Path) -> None:
    """3072 * 10^7 weights and 10^7 biases are 122.9 GB; drawing them takes 4 times that more."""
    (tmp_path / "t.yaml").write_text(WIDE)
    with pytest.raises(BackendError) as caught:
        build_module(load_graph(tmp_path / "t.yaml"))
    assert str(caught.value).splitlines() == [
        "`t` needs about 615 GB of memory, and 1.0 GB are free here",
        f"  the largest layer is `fc`, {tmp_path}/t.yaml:3:19: its parameters take 123 GB",
        HELP,
    ]


@pytest.mark.usefixtures("one_gigabyte")
def test_activations(tmp_path: Path) -> None:
    """Of a relu on 3 x 20,000 x 20,000 the operand and the result are alive: 2 times 4.8 GB."""
    (tmp_path / "t.yaml").write_text(
        "network: t\ninput: {image: [3, 20000, 20000]}\nlayers: [relu]\n"
    )
    with pytest.raises(BackendError) as caught:
        check_memory(load_graph(tmp_path / "t.yaml"))
    assert str(caught.value).splitlines() == [
        "`t` needs about 9.6 GB of memory, and 1.0 GB are free here",
        f"  the largest layer is `image`, {tmp_path}/t.yaml:2:16: what it gives takes 4.8 GB",
        HELP,
    ]


@pytest.mark.usefixtures("one_gigabyte")
def test_what_fits_just_and_what_does_not(tmp_path: Path) -> None:
    """1000 * 9,999 weights are 40.0 MB; 20 copies and 4 tensors of them are 959.9 MB."""
    (tmp_path / "t.yaml").write_text(
        "network: t\ninput: {x: [1000]}\nlayers: [{linear: 9999, bias: false}]\n"
    )
    graph = load_graph(tmp_path / "t.yaml")
    check_memory(graph, copies=20)
    with pytest.raises(BackendError, match=r"^`t` needs about 1\.0 GB of memory, and 1\.0 GB are"):
        check_memory(graph, copies=22)


@pytest.mark.usefixtures("one_gigabyte")
def test_an_open_size_is_not_counted_but_parameters_are(tmp_path: Path) -> None:
    text = "network: t\ninput: {x: [3, H, W]}\nlayers: [{conv: 3x3, filters: #, name: c}]\n"
    (tmp_path / "t.yaml").write_text(text.replace("#", "9"))
    check_memory(load_graph(tmp_path / "t.yaml"))
    (tmp_path / "t.yaml").write_text(text.replace("#", "9999999"))
    with pytest.raises(BackendError, match="the largest layer is `c`"):
        check_memory(load_graph(tmp_path / "t.yaml"))


def test_the_check_can_be_turned_off(
    one_gigabyte: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "t.yaml").write_text(
        "network: t\ninput: {image: [3, 20000, 20000]}\nlayers: [relu]\n"
    )
    graph = load_graph(tmp_path / "t.yaml")
    monkeypatch.setenv("NETDRAFT_LIMIT_MEMORY_PERCENT", "959")
    with pytest.raises(BackendError):
        check_memory(graph)
    monkeypatch.setenv("NETDRAFT_LIMIT_MEMORY_PERCENT", "960")
    check_memory(graph)


@pytest.mark.parametrize(
    ("command", "need"),
    [
        ("build wide.yaml -o out", "615 GB"),
        ("build wide.yaml -o out --target torch", "615 GB"),
        ("build wide.yaml -o out --target onnx", "1.1 TB"),
        ("build wide.yaml -o out --target export,source", "738 GB"),
        ("build wide.yaml -o out --save-weights", "738 GB"),
        ("build wide.yaml -o out --optimize", "738 GB"),
        ("build wide.yaml -o out --input 3x64x64", "2.5 TB"),
        ("bench wide.yaml -o out", "1.5 TB"),
        ("verify some.py wide.yaml --run", "983 GB"),
        ("weights wide.yaml some.pt -o out/w.safetensors", "246 GB"),
    ],
)
def test_commands_refuse_it(command: str, need: str, tmp_path: Path) -> None:
    (tmp_path / "wide.yaml").write_text(WIDE)
    (tmp_path / "some.py").touch()
    (tmp_path / "some.pt").touch()
    done = shell(f"ulimit -v 8000000; netdraft {command}", tmp_path)
    first, layer, *_ = done.stderr.splitlines()
    assert done.returncode == 1
    assert first.startswith(f"error: `t` needs about {need} of memory, and ")
    assert first.endswith(" GB are free here")
    assert layer.startswith("  the largest layer is `fc`, wide.yaml:3:19: its parameters take ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command",
    ["check wide.yaml", "summary wide.yaml", "render wide.yaml", "build wide.yaml --emit graph"],
)
def test_what_makes_no_tensors_needs_no_room(command: str, tmp_path: Path) -> None:
    (tmp_path / "wide.yaml").write_text(WIDE)
    assert shell(f"netdraft {command}", tmp_path).returncode == 0


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


V1 = "sys/fs/cgroup/memory"
V2 = "sys/fs/cgroup"


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 4_096_000_000),
        ({"proc/self/cgroup": "0::/a\n", f"{V2}/a/memory.max": "max\n"}, 4_096_000_000),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                f"{V2}/a/memory.max": "1000000\n",
                f"{V2}/a/memory.current": "700000\n",
                f"{V2}/a/memory.stat": "anon 1\ninactive_file 200000\nactive_file 3\n",
                f"{V2}/a/b/memory.max": "900000\n",
                f"{V2}/a/b/memory.current": "100000\n",
            },
            500_000,
        ),
        (
            {
                "proc/self/cgroup": "9:cpu:/\n4:memory:/host/path\n0::/\n",
                f"{V1}/memory.limit_in_bytes": "1000000\n",
                f"{V1}/memory.usage_in_bytes": "900000\n",
                f"{V1}/memory.stat": "inactive_file 7\ntotal_inactive_file 100000\n",
            },
            200_000,
        ),
        (
            {
                "proc/self/cgroup": "4:hugetlb,memory:/a\n",
                f"{V1}/a/memory.limit_in_bytes": "1000\n",
                f"{V1}/a/memory.usage_in_bytes": "2000\n",
            },
            0,
        ),
    ],
)
def test_memory_that_is_free(files: dict[str, str], free: int, tmp_path: Path) -> None:
    assert available_bytes(write(tmp_path, {"proc/meminfo": MEMORY, **files})) == free


def test_memory_by_ulimit() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (5 * 10**8, 5 * 10**8));"
        "from compiler.facts.available_memory import available_bytes; print(available_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert 3 * 10**8 < int(done.stdout) < 5 * 10**8


def test_a_system_that_says_nothing_is_asked_for_all_its_memory(tmp_path: Path) -> None:
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        pytest.skip("memory is limited here")
    free = available_bytes(tmp_path)
    assert free is not None
    assert free > 5 * 10**8
