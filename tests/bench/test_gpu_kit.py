"""`make gpu`, rehearsed on the CPU with small sizes; and what it does when a step fails."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from backends.bench.ceiling import Ceiling
from backends.bench.gpu import kit, steps
from backends.bench.gpu.plan import FULL, SMALL, Step, steps_of
from backends.bench.gpu.regions import mark_regions, repeated_blocks
from backends.run.optimized import Optimized
from backends.torch.module import build_module
from compiler.errors import BackendError
from compiler.pipeline import load_graph, target_graph

pytestmark = pytest.mark.usefixtures("one_thread")


def small(task: str, **changes: object) -> Step:
    """Return the first step of a rehearsal that does a task."""
    step = next(s for s in steps_of(SMALL) if s.task == task)
    return Step(step.name, task, {**step.arguments, **changes}, step.seconds)


def run(step: Step, folder: Path) -> dict[str, Any]:
    """Run a step here, as its process does; return what it wrote."""
    file = folder / f"{step.name}.json"
    request = {"device": "cpu", "file": str(file), **step.arguments}
    assert steps.main([step.task, json.dumps(request)]) == 0
    found: dict[str, Any] = json.loads(file.read_text())
    assert found.pop("is_complete") is True
    return found


def odd(count: int) -> list[str]:
    """Return the names of the first odd networks."""
    return [path.stem for path in sorted(steps.ODD.glob("*.yaml"))[:count]]


def test_every_mode_is_measured_the_quick_ones_first() -> None:
    plan = steps_of(FULL)
    names = [step.name for step in plan]
    assert len(set(names)) == len(names)
    benches = [
        f"bench_{dtype}_{batch}"
        for dtype, batch in product(("bfloat16", "tf32", "float32"), (1, 128, 256))
    ]
    assert [
        name for name in names if name.startswith("bench") and "compiled" not in name
    ] == benches
    assert names[:4] == ["machine", "odd_networks", "networks", "bench_bfloat16_1"]
    # A compiler takes minutes for each: all that needs none comes before.
    compiled = [f"{name}_compiled" for name in (*benches, "odd_networks")]
    assert names[-14:] == [*compiled, *(f"regions_{n}" for n in range(4))]
    (networks,) = (step for step in plan if step.name == "networks")
    assert networks.arguments["dtypes"] == ("float32", "tf32", "bfloat16", "float16")
    assert [step.name for step in plan if step.arguments.get("training")] == [
        "training_bfloat16", "training_float32",
    ]  # fmt: skip
    assert {"profile", "memory"} < set(names)


def test_the_machine_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about = run(small("machine"), tmp_path)["about"]
    assert about["torch"] == torch.__version__
    assert f"    torch: {torch.__version__}\n" in capsys.readouterr().out


def test_targets_are_compared_with_float64(tmp_path: Path) -> None:
    checks = run(small("correctness", odd=2), tmp_path)["checks"]
    networks = odd(2)
    targets = ("cuda_graph", "eager", "plain")
    numbers = ("float32", "tf32", "bfloat16", "float16")
    assert list(checks) == [" ".join(key) for key in product(networks, targets, numbers)]
    for name, check in checks.items():
        assert check["is_right"]
        assert ("refused" in check) == ("cuda_graph" in name)
        assert "refused" in check or check["distance"] < (1e-5 if "32" in name else 5e-2)


def test_a_wrong_result_and_an_error_are_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = small("correctness", odd=1, targets=("eager", "plain"), dtypes=("float32",))
    real = Optimized.for_inference

    def wrong(own: Any, device: str, dtype: torch.dtype, target: str) -> Any:
        if target == "plain":
            raise RuntimeError("CUDA error: an illegal memory access\nand much more")
        return lambda *x: real(own, device, dtype, target)(*x) * 1.1

    with monkeypatch.context() as patch:
        patch.setattr(Optimized, "for_inference", wrong)
        checks = run(step, tmp_path)["checks"]
    (name,) = odd(1)
    assert not checks[f"{name} eager float32"]["is_right"]
    assert checks[f"{name} plain float32"] == {
        "is_right": False,
        "failed": "RuntimeError: CUDA error: an illegal memory access",
    }
    again = run(step, tmp_path)["checks"]  # what raised is tried again, the rest is done
    assert again[f"{name} eager float32"] == checks[f"{name} eager float32"]
    assert again[f"{name} plain float32"]["is_right"]


def test_times_and_the_profile_of_the_best_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.bench.run.measure_ceiling", lambda *_: Ceiling(2e9, 1e9))
    (table,) = run(small("bench"), tmp_path)["bench"]["tables"]
    rows = {(row["side"], row["subject"]): row["median_ms"] for row in table["rows"]}
    assert set(rows) == {
        ("netdraft", "eager"), ("netdraft", "plain"), ("peer", "eager"), ("peer", "channels_last"),
    }  # fmt: skip
    best = min((ms, name) for (side, name), ms in rows.items() if side == "netdraft")[1]
    found = run(small("profile"), tmp_path)
    assert found["about"]["mode"] == best
    (convolutions,) = (row for row in found["kernels"] if row["name"] == "aten::convolution")
    assert convolutions["count"] == 6
    assert found["about"]["microseconds"] > 0


def test_times_of_nothing_are_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.bench.run.measure_ceiling", lambda *_: Ceiling(2e9, 1e9))
    step = small("bench", targets=("cuda_graph",), peers=("tensorrt",))
    with pytest.raises(BackendError) as failed:
        run(step, tmp_path)
    assert str(failed.value) == (
        "the target `cuda_graph` needs an NVIDIA GPU, not cpu; "
        "the target `tensorrt` needs an NVIDIA GPU, not cpu"
    )
    kit.collect([step], tmp_path)
    assert "cuda_graph: the target" in (tmp_path / "report.txt").read_text()


def test_the_innermost_repeated_blocks_are_found() -> None:
    network = build_module(target_graph(load_graph("zoo/resnet50", {})), seed=None)
    assert sum(repeated_blocks(network).values()) == 3 + 4 + 6 + 3  # bottlenecks, no stages


def test_blocks_that_are_repeated_are_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    network = build_module(target_graph(load_graph("inception_v4", {})), seed=None)
    found = {block.__name__: count for block, count in repeated_blocks(network).items()}
    assert found == {"InceptionA": 4, "InceptionB": 7, "InceptionC": 3}  # Figure 9
    for block in repeated_blocks(network):
        monkeypatch.setattr(block, "forward", block.forward)  # put back afterwards
    monkeypatch.setattr(
        torch.compiler, "nested_compile_region", lambda forward: ("region", forward)
    )
    assert mark_regions(network) == 14
    assert all(block.forward[0] == "region" for block in repeated_blocks(network))  # type: ignore[index]


def test_compiling_is_timed_whole_and_by_regions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", lambda module, dynamic: module)
    found = run(small("regions"), tmp_path)["compiling"]
    assert list(found) == ["whole", "regions"]
    assert all(times["first_s"] > 0 < times["run_ms"] for times in found.values())


def test_a_training_step_is_timed(tmp_path: Path) -> None:
    step = next(s for s in steps_of(SMALL) if s.name == "training_float32")
    (table,) = run(step, tmp_path)["bench"]["tables"]
    assert (table["task"], table["batch"], table["dtype"]) == ("training", 2, "float32")


def test_peak_memory_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, int]] = []

    def measure(spec: str, side: str, subject: str, dtype: str, batch: int, *_: object) -> float:
        asked.append((side, subject, batch))
        if batch == 2 and asked.count((side, subject, 2)) < 2:
            raise KeyboardInterrupt
        return 7.0

    monkeypatch.setattr(steps, "measure_memory", measure)
    with pytest.raises(KeyboardInterrupt):
        run(small("memory"), tmp_path)
    assert len(asked) == 4
    asked.clear()
    asked.append(("netdraft", "eager", 2))
    for name in ("eager", "channels_last"):
        asked.append(("peer", name, 2))
    found = run(small("memory"), tmp_path)
    assert {batch for _, _, batch in asked} == {2}
    assert found["megabytes"]["peer channels_last, bfloat16, batch 1"] == 7.0


PLAN = [Step(name, "machine", {}, 60) for name in ("a", "b", "c")]


class Runs:
    """In the place of processes: writes what a step would, or fails."""

    def __init__(self, **why: str) -> None:
        self.why = why
        self.asked: list[str] = []

    def __call__(self, step: Step, file: Path, seconds: float) -> str:
        self.asked.append(step.name)
        if step.name in self.why:
            return self.why[step.name]
        file.write_text(json.dumps({"about": {"name": step.name}, "is_complete": True}))
        return ""


def later(seconds: float) -> float:
    return time.monotonic() + seconds


def test_a_failure_takes_nothing_away_and_is_tried_last(tmp_path: Path) -> None:
    first = Runs(a="no such device")
    kit.run_steps(PLAN, tmp_path, later(100), first)
    assert first.asked == ["a", "b", "c"]
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["a"] == {"failed": "no such device"}
    assert found["b"]["about"] == {"name": "b"}
    assert (tmp_path / "report.txt").read_text() == (
        "== a\nfailed: no such device\n\n== b\nname: b\n\n== c\nname: c\n"
    )
    (tmp_path / "b.json").write_text('{"about": {"na')  # cut off
    second = Runs()
    kit.run_steps(PLAN, tmp_path, later(100), second)
    assert second.asked == ["b", "a"]
    assert "failed" not in (tmp_path / "report.txt").read_text()
    kit.run_steps(PLAN, tmp_path, later(100), third := Runs())
    assert third.asked == []


def test_no_step_is_begun_when_the_time_is_spent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = Runs()
    kit.run_steps(PLAN, tmp_path, later(5), runs)
    assert runs.asked == []
    assert capsys.readouterr().out == "the time is spent before a\n"
    assert json.loads((tmp_path / "results.json").read_text()) == {}


def test_what_was_found_before_an_interruption_is_kept(tmp_path: Path) -> None:
    def interrupted(step: Step, file: Path, seconds: float) -> str:
        if step.name == "b":
            raise KeyboardInterrupt
        return Runs()(step, file, seconds)

    with pytest.raises(KeyboardInterrupt):
        kit.run_steps(PLAN, tmp_path, later(100), interrupted)
    assert list(json.loads((tmp_path / "results.json").read_text())) == ["a"]


def test_the_report_says_what_is_wrong(tmp_path: Path) -> None:
    found = {
        "checks": {
            "net eager tf32": {"is_right": True, "distance": 1e-4},
            "net tensorrt tf32": {"is_right": True, "refused": "not installed"},
            "net plain tf32": {"is_right": False, "distance": 0.5},
            "net compile tf32": {"is_right": False, "failed": "RuntimeError: no"},
        },
        "megabytes": {"peer eager": 123.4},
        "compiling": {"whole": {"first_s": 61.04, "run_ms": 1.2345}},
        "kernels": [{"name": "conv", "count": 3, "microseconds": 12.34}],
    }
    (tmp_path / "a.json").write_text(json.dumps(found))
    kit.collect(PLAN, tmp_path)
    assert (tmp_path / "report.txt").read_text() == (
        "== a\n"
        "1 right, 2 wrong, 1 refused\n"
        "  wrong: net plain tf32: 0.5\n"
        "  wrong: net compile tf32: RuntimeError: no\n"
        "      123 MB  peer eager\n"
        "whole: 61.0 s to compile, 1.234 ms a run\n"
        "      12.3 us     3 x conv\n"
    )


def test_a_process_that_fails_or_takes_too_long_is_a_sentence(tmp_path: Path) -> None:
    step = Step("x", "nosuch", {}, 60)
    site = tmp_path / "site"
    library = tmp_path / "inductor" / "lb" / "c.main.so"
    library.parent.mkdir(parents=True)
    library.touch()  # as a compiler leaves it that is stopped
    assert kit.run_process(step, tmp_path / "x.json", 60, "cpu", site) == "KeyError: 'nosuch'"
    assert kit.run_process(step, tmp_path / "x.json", 0.01, "cpu", site) == (
        "it took longer than 0 s"
    )
    assert not library.exists()


def test_wheels_of_what_is_missing_or_older_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = {"pydantic_core": "2.10.3", "numpy": "2.5.2", "torchvision": "0.20.0", "tqdm": "4.9"}

    def version(name: str) -> str:
        if name not in there:
            raise importlib.metadata.PackageNotFoundError
        return there[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    names = ("numpy-2.4.6-x.whl", "pydantic_core-2.10.3-x.whl", "timm-1.0-x.whl",
             "torchvision-0.26.0-x.whl", "tqdm-4.10-x.whl")  # fmt: skip
    for name in names:
        (tmp_path / name).touch()
    wheels = kit.missing_wheels(tmp_path)
    assert [wheel.name for wheel in wheels] == ["timm-1.0-x.whl", "tqdm-4.10-x.whl"]
    assert kit.missing_wheels(tmp_path / "nowhere") == []
    called: list[list[str]] = []

    def pip(command: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        called.append(command)
        return subprocess.CompletedProcess(command, len(called) - 1)

    monkeypatch.setattr(subprocess, "run", pip)
    site = tmp_path / "site"
    assert kit.install(wheels, site) == site
    assert [command[-3:] for command in called] == [["--target", str(site), str(w)] for w in wheels]
    assert "--no-index" in called[0]
    assert capsys.readouterr().out == (
        f"==> installing 2 wheels into {site}\n    tqdm-4.10-x.whl is left out\n"
    )


def test_a_bare_machine_needs_the_standard_library_alone() -> None:
    code = (
        "import sys; before = set(sys.modules); import backends.bench.gpu.kit\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(new - set(sys.stdlib_module_names)))"
    )
    root = Path(kit.__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["backends"]


@pytest.mark.slow
def test_a_whole_rehearsal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["--small", "--device", "cpu", "-o", str(tmp_path), "--seconds"]
    assert kit.main([*arguments, "40"]) == 1  # some is left
    assert kit.main([*arguments, "1200"]) == 0
    assert kit.main([*arguments, "40"]) == 0
    found = json.loads((tmp_path / "results.json").read_text())
    assert list(found) == [step.name for step in steps_of(SMALL)]
    said = capfd.readouterr().out
    assert said.count("==> machine") == 1
    assert said.endswith(f"results are in {tmp_path}/report.txt and results.json\n")
