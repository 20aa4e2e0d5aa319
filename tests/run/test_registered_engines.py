"""Engines are registered by name: ours, those of other packages, and what is said without one."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib.abc import MetaPathFinder
from pathlib import Path

import pytest
import torch
from torch import nn

from backends.bench.run import Plan, run_plan
from backends.bench.subjects import Case, netdraft_subjects
from backends.bench.training import training_subjects
from backends.run import candidates
from backends.run.engines import GROUP, OURS
from backends.run.optimized import optimize
from backends.run.targets import TARGETS
from backends.torch.module import build_module, graph_of
from compiler.errors import BackendError
from tests.passes.random_specs import graph_of as graph_from

ROOT = Path(__file__).resolve().parents[2]
SPEC = """
network: small
input: {image: [3, 8, 8]}
layers:
  - {conv: 1x1, filters: 16, norm: batch_norm}
  - global_avg_pool
  - {linear: 5}
"""
TOY = """
import torch

def make(request):
    return lambda x: torch.full((len(x), 5), 7.0)
"""
CODE = f"""
import sys, torch
from backends.run.optimized import optimize
from backends.torch.module import build_module
from tests.passes.random_specs import graph_of

network = optimize(build_module(graph_of('''{SPEC}'''))).for_inference(target="toy")
print("toy_engine" in sys.modules, "backends.native" in sys.modules)
print(float(network(torch.ones(1, 3, 8, 8)).mean()), "toy_engine" in sys.modules)
"""


@pytest.fixture
def module() -> nn.Module:
    return build_module(graph_from(SPEC)).eval()


class Without(MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> None:
        if name == "backends.native":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.fixture
def without_native(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take `backends.native` away, as if its folder were not there."""
    for name in [m for m in sys.modules if m.startswith("backends.native")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Without(), *sys.meta_path])


def test_a_checkout_knows_what_is_registered_when_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"][GROUP] == OURS


def test_an_engine_of_another_package_is_imported_when_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "toy_engine.py").write_text(TOY)
    info = tmp_path / "toy_engine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-engine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\ntoy = toy_engine:make\n")
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("False False\n7.0 True\n", "")


@pytest.mark.parametrize("target", ["native", "native_lean"])
def test_without_it_a_target_is_refused(
    target: str, module: nn.Module, without_native: None
) -> None:
    with pytest.raises(BackendError) as caught:
        optimize(module).for_inference(target=target)(torch.ones(1, 3, 8, 8))
    text = f"the target `{target}` needs backends.native, which is not installed"
    assert str(caught.value) == text


def test_without_it_tuning_goes_on(
    module: nn.Module, without_native: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    some = {name: TARGETS[name] for name in ("plain", "native")}
    monkeypatch.setattr(candidates, "TARGETS", some)
    fast = optimize(module).for_inference(lock=tmp_path / "tune.json")
    tuned = fast.tune(torch.ones(1, 3, 8, 8), rounds=1)
    text = "the target `native` needs backends.native, which is not installed"
    assert (tuned.target, tuned.refused) == ("plain", {"native": text})


TRAINING = "training with kernels of our own needs backends.native, which is not installed"


def test_without_it_training_is_torch_s(module: nn.Module, without_native: None) -> None:
    own = optimize(module)
    made = [own.for_training(), own.for_training(native=False)]
    ours, plain = ([type(m) for m in network.modules()] for network in made)
    assert ours == plain
    with pytest.raises(BackendError) as caught:
        own.for_training(native=True)
    assert str(caught.value) == TRAINING


def test_without_it_a_benchmark_says_so(module: nn.Module, without_native: None) -> None:
    image = torch.ones(1, 3, 8, 8)
    case = Case(graph_of(module), optimize(module), (image,), torch.float32, module, "module")
    (target,), steps = netdraft_subjects(case, ("native",)), training_subjects(case, False)
    with pytest.raises(BackendError, match=r"^the target `native` needs backends.native, which"):
        target.build()
    with pytest.raises(BackendError, match=f"^{TRAINING}$"):
        next(steps).build()
    told: list[str] = []
    with pytest.raises(BackendError) as caught:
        run_plan(graph_of(module), Plan(profile=True), told.append)
    assert str(caught.value) == "the profile needs backends.native, which is not installed"
    assert told == [], "it is said before anything is measured"
