"""Which target a network runs by: what is tried, in which order, within which time."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from backends.run import candidates, progress
from backends.run import optimized as engine
from backends.run.candidates import FIRST_CALL_SECONDS
from backends.run.optimized import optimize
from backends.run.targets import Request, expected_seconds
from backends.torch.module import build_module
from compiler.errors import BackendError
from compiler.graph import Graph
from tests.passes.random_specs import graph_of

SPEC = """
network: small
input: {image: [3, 9, 7]}
layers:
  - {conv: 3x3, filters: 4, norm: batch_norm, activation: relu}
  - global_avg_pool
  - {linear: 5}
"""


@pytest.fixture(autouse=True)
def _own_lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "cached", lambda name: tmp_path / name)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return graph_of(SPEC)


@pytest.fixture
def module(graph: Graph) -> nn.Module:
    return build_module(graph).eval()


def images(count: int) -> Tensor:
    return torch.ones(count, 3, 9, 7)


class Clock:
    """In the place of targets and of time: each takes the milliseconds that it is given."""

    def __init__(self, milliseconds: dict[str, float]) -> None:
        self.milliseconds = milliseconds
        self.building: dict[str, float] = {}
        """Target -> seconds."""
        self.now = 0.0
        self.built: list[str] = []
        self.measured: list[tuple[list[str], int]] = []

    def monotonic(self) -> float:
        return self.now

    def build(self, target: str, request: Request) -> Callable[..., Tensor]:
        if target not in self.milliseconds:
            raise BackendError(f"there is no {target}")
        self.built.append(target)
        self.now += self.building.get(target, 0.0)
        return lambda *inputs: torch.full((len(inputs[0]), 5), self.milliseconds[target])

    def measure(self, runs: dict[str, object], rounds: int, device: str) -> dict[str, list[float]]:
        self.measured.append((list(runs), rounds))
        times = {name: [self.milliseconds[name]] * rounds for name in runs}
        self.now += sum(map(sum, times.values())) / 1e3
        return times

    @property
    def tunings(self) -> int:
        """How often targets were compared: the network as it is was timed alone each time."""
        return sum(names == ["plain"] for names, _ in self.measured)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock({"native": 3.0, "openvino": 4.0, "eager": 7.0, "plain": 9.0})
    monkeypatch.setattr(candidates, "build_runner", made.build)
    monkeypatch.setattr(candidates, "measure", made.measure)
    monkeypatch.setattr(candidates, "time", made)
    monkeypatch.setattr(engine, "build_runner", made.build)
    return made


def test_tuning_keeps_the_fastest_and_remembers_it(module: nn.Module, clock: Clock) -> None:
    fast = optimize(module).for_inference()
    assert float(fast(images(1))[0, 0]) == 3.0
    assert set(clock.built) == set(clock.milliseconds)
    clock.built.clear()
    assert float(optimize(module).for_inference()(images(1))[0, 0]) == 3.0  # from the lock file
    assert (clock.built, clock.tunings) == (["native"], 1)


def test_a_target_that_cannot_be_built_any_more_is_measured_anew(
    module: nn.Module, clock: Clock
) -> None:
    optimize(module).for_inference()(images(1))
    clock.milliseconds.pop("native")
    assert float(optimize(module).for_inference()(images(1))[0, 0]) == 4.0
    clock.built.clear()
    assert float(optimize(module).for_inference()(images(1))[0, 0]) == 4.0
    assert (clock.built, clock.tunings) == (["openvino"], 2)


def test_what_nothing_can_run_says_why(module: nn.Module, clock: Clock) -> None:
    clock.milliseconds.clear()
    with pytest.raises(BackendError, match=r"^no target can run this: there is no plain$"):
        optimize(module).for_inference()(images(1))


def test_tuning_is_never_slower_than_the_plain_network(module: nn.Module, clock: Clock) -> None:
    clock.milliseconds.update(eager=12.0, native=13.0, openvino=14.0)
    tuned = optimize(module).for_inference().tune(images(1))
    assert (tuned.target, tuned.milliseconds["plain"]) == ("plain", 9.0)
    assert tuned.refused["compile"] == "there is no compile"


def test_what_changes_the_answer_is_tuned_anew(module: nn.Module, clock: Clock) -> None:
    own = optimize(module)
    for count, fast in enumerate(
        (
            own.for_inference(),
            own.for_inference(dtype=torch.bfloat16),
            own.for_inference(dtype="tf32"),
            optimize(
                build_module(graph_of(SPEC.replace("linear: 5", "linear: 6")))
            ).for_inference(),
        ),
        start=1,
    ):
        fast(images(1))
        assert clock.tunings == count
    own.for_inference()(images(2))  # another batch
    assert clock.tunings == 5


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"version": 99, "entries": {}}', '{"version": 1, "entries": [1]}'],
)
def test_a_damaged_lock_file_is_measured_over(
    text: str, module: nn.Module, clock: Clock, tmp_path: Path
) -> None:
    (tmp_path / "tune.json").write_text(text)
    optimize(module).for_inference()(images(1))
    entries = json.loads((tmp_path / "tune.json").read_text())["entries"]
    assert [entry["target"] for entry in entries.values()] == ["native"]


def test_the_order_is_that_of_the_targets(module: nn.Module, clock: Clock) -> None:
    clock.milliseconds.update(compile=2.0, native_lean=5.0)
    optimize(module).for_inference().tune(images(1))
    assert clock.built == ["native", "openvino", "native_lean", "eager", "plain", "compile"]


def test_what_is_far_slower_in_one_round_has_no_more(module: nn.Module, clock: Clock) -> None:
    optimize(module).for_inference()(images(1))
    alone = [([name], 1) for name in clock.built]
    assert clock.measured == [*alone, (["native", "openvino"], 7)]  # eager takes 2.3 times as long
    clock.measured.clear()
    optimize(module).for_inference().tune(images(1), rounds=5)
    assert clock.measured == [*alone, (clock.built[:4], 5)]


def test_one_that_is_far_ahead_needs_no_more_rounds(module: nn.Module, clock: Clock) -> None:
    clock.milliseconds["openvino"] = 4.6
    optimize(module).for_inference()(images(1))
    assert clock.measured == [([name], 1) for name in clock.built]


def test_what_takes_long_to_build_is_left_to_a_whole_measurement(
    module: nn.Module, clock: Clock, tmp_path: Path
) -> None:
    clock.milliseconds["compile"] = 1.0
    clock.building["native"] = FIRST_CALL_SECONDS - 0.5  # compiling needs more than is left
    fast = optimize(module).for_inference()
    assert float(fast(images(1))[0, 0]) == 3.0
    assert "compile" not in clock.built
    (entry,) = json.loads((tmp_path / "tune.json").read_text())["entries"].values()
    assert entry["refused"]["compile"] == (
        "not tried within the 15 s of a first call; `netdraft tune` does"
    )
    assert fast.tune(images(1)).target == "compile"
    assert float(optimize(module).for_inference()(images(1))[0, 0]) == 1.0  # from the lock file


def test_what_takes_long_to_build_is_tried_where_it_fits(module: nn.Module, clock: Clock) -> None:
    clock.milliseconds["compile"] = 1.0
    assert float(optimize(module).for_inference()(images(1))[0, 0]) == 1.0


def test_the_first_target_is_built_however_long_it_takes(module: nn.Module, clock: Clock) -> None:
    clock.building["native"] = 60.0
    assert float(optimize(module).for_inference()(images(1))[0, 0]) == 3.0
    assert clock.built == ["native"]


def test_rounds_fit_into_what_is_left(module: nn.Module, clock: Clock) -> None:
    clock.milliseconds = {"native": 1000.0, "openvino": 1100.0}
    clock.building["native"] = 5.0
    optimize(module).for_inference()(images(1))
    # 15 - 5 - 2.1 s are left, and a round runs each of both twice.
    assert clock.measured[-1] == (["native", "openvino"], 1)
    clock.building["native"] = 0.0
    optimize(module).for_inference()(images(2))
    assert clock.measured[-1] == (["native", "openvino"], 3)


@pytest.mark.parametrize(
    ("target", "device", "each"),
    [("native", "cpu", 0), ("compile", "cpu", 0.1), ("compile", "cuda", 1), ("openvino", "cpu", 0)],
)
def test_compilers_take_time_for_every_operation(
    target: str, device: str, each: float, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Request(graph, {}, (graph, {}), (images(1),), torch.float32)
    monkeypatch.setattr(Request, "device", torch.device(device))
    assert expected_seconds(target, request) == each * len(graph.nodes)


SAID = [
    "small: trying native (1 of 9)",
    "small: trying openvino (2 of 9)",
    "small: trying onnxruntime (3 of 9)",
    "small: trying native_lean (4 of 9)",
    "small: trying cuda_graph (5 of 9)",
    "small: trying eager (6 of 9)",
    "small: trying plain (7 of 9)",
    "small: trying compile (8 of 9)",
    "small: trying tensorrt (9 of 9)",
    "small: measuring native, openvino",
    "small: native runs it in 3.00 ms, the fastest of 4",
]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_logger_is_told_what_is_tried(
    module: nn.Module,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO, "netdraft")
    optimize(module).for_inference()(images(1))
    assert caplog.messages == SAID
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_one_line(
    module: nn.Module, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    optimize(module).for_inference()(images(1))
    assert screen.getvalue() == "".join(f"\r\x1b[K{line}" for line in SAID) + "\n"


def test_a_line_is_no_wider_than_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    with progress.telling("a" * 60) as say:
        say("b" * 60)
    assert screen.getvalue() == f"\r\x1b[K{'a' * 60}: {'b' * 17}\n"
