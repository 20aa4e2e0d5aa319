"""`netdraft tune`: what it measures is what `for_inference` then takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from backends.run import candidates
from backends.run import optimized as engine
from backends.run.optimized import optimize
from backends.run.targets import TARGETS
from backends.torch.module import build_module
from compiler.__main__ import main
from compiler.cli.tune import as_text
from compiler.pipeline import load_graph, target_graph

SPEC = """
network: tiny
input: {image: [3, 12, h]}
layers:
  - {conv: 3x3, filters: 16, norm: batch_norm, activation: relu}
  - global_avg_pool
  - {linear: 4}
"""

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a spec, and two targets to run it by, with what is kept in a folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    some = {name: TARGETS[name] for name in ("openvino", "eager", "plain", "tensorrt")}
    monkeypatch.setattr(candidates, "TARGETS", some)
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    path = tmp_path / "tiny.yaml"
    path.write_text(SPEC)
    return path


def test_what_it_finds_is_taken_without_measuring(
    spec: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["tune", str(spec), "--batch", "1,2", "--rounds", "2", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    rows = json.loads(out)
    assert err == ""
    assert [row["inputs"] for row in rows] == [{"image": [n, 3, 12, 224]} for n in (1, 2)]
    for row in rows:
        assert set(row["milliseconds"]) == {"eager", "plain"}
        assert min(row["milliseconds"], key=row["milliseconds"].__getitem__) == row["target"]
        assert row["refused"] == {
            "openvino": "the target `openvino` needs openvino, which is not installed",
            "tensorrt": "the target `tensorrt` needs an NVIDIA GPU, not cpu",
        }
        assert row["kept"] == str(spec.parent / "cache" / "netdraft" / "tune.json")
    monkeypatch.setattr(engine, "choose_target", None)  # would fail if it were called
    fast = optimize(build_module(target_graph(load_graph(spec, {})))).for_inference()
    assert fast(torch.ones(2, 3, 12, 224)).shape == (2, 4)


def test_the_table_at_80_columns(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {
        "network": "tiny", "device": "a CPU, 2 threads", "torch": "2.14.1", "dtype": "bfloat16",
        "inputs": {"image": [1, 3, 12, 224]}, "target": "eager",
        "milliseconds": {"eager": 2.0, "plain": 5.0},
        "refused": {"openvino": "the target `openvino` needs openvino, " + "which " * 20},
        "kept": "/home/me/.cache/netdraft/tune.json",
    }  # fmt: skip
    assert as_text([row]) == (
        "tiny, bfloat16, 1x3x12x224\n"
        "a CPU, 2 threads, torch 2.14.1\n"
        "  target                 median ms  of the fastest\n"
        "> eager                       2.00            1.00\n"
        "  plain                       5.00            2.50\n"
        "  openvino: the target `openvino` needs openvino, which which which which which \n"
        "\n"
        "kept in /home/me/.cache/netdraft/tune.json\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--batch", "0"), "argument --batch: `0` is not a whole number from 1"),
        (("--dtype", "int8"), "argument --dtype: `int8`: known are float32, tf32, bfloat16"),
        (("--rounds", "0"), "argument --rounds: `0` is not a whole number from 1"),
    ],
)
def test_wrong_usage(
    arguments: tuple[str, ...], words: str, spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["tune", str(spec), *arguments])
    assert left.value.code == 2
    assert words in capsys.readouterr().err
