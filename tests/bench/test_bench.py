"""The benchmark: what it computes from times, what it refuses, and how it tells."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

from backends.bench import memory, run
from backends.bench.ceiling import Ceiling, floor_of
from backends.bench.report import as_svg, as_text
from backends.bench.run import Plan, make_case, run_plan
from backends.bench.subjects import Subject, netdraft_subjects, peer_subjects
from backends.bench.training import training_subjects
from compiler.__main__ import main
from compiler.errors import BackendError
from tests.kernels import kernels, missing
from tests.passes.random_specs import graph_of

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = """
network: tiny
input: {image: [3, 12, 12]}
layers:
  - {conv: 3x3, filters: 16, norm: batch_norm, activation: relu}
  - {conv: 1x1, filters: 16, norm: none, activation: relu, bias: false}
  - global_avg_pool
  - {linear: 4}
"""


def quick(monkeypatch: pytest.MonkeyPatch, *subjects: Subject) -> None:
    """Let a run compare these subjects alone, with a ceiling that costs nothing to measure."""
    monkeypatch.setattr(run, "subjects_of", lambda *_: iter(subjects))
    monkeypatch.setattr(run, "measure_ceiling", lambda *_: Ceiling(2e9, 1e9))


def result(rows: list[tuple[str, str, float]], **changes: Any) -> dict[str, Any]:
    """Return what a run would have recorded of subjects with these medians."""
    table = {
        "task": "inference", "dtype": "float32", "batch": 4, "peer": "timm 1.0",
        "refused": {"peer tensorrt": "the target `tensorrt` needs an NVIDIA GPU, not cpu"},
        "limits": {
            "matmul_gflops": 200.0, "copy_gbps": 40.0, "gmacs": 12.0, "short_gmacs": 6.0,
            "arithmetic_floor_ms": 120.0, "memory_floor_ms": 12.0,
        },
        "profile": [
            {"what": "1x1 convolution, float32", "steps": 17, "milliseconds": 30.0, "gmacs": 3.0}
        ],
        "rows": [
            {"side": side, "subject": name, "median_ms": ms, "best_ms": ms / 2, "times_ms": [ms],
             "error": 3e-5 if side == "netdraft" else None}
            for side, name, ms in rows
        ],
        **changes,
    }  # fmt: skip
    return {"network": "net", "device": "a CPU, 2 threads", "torch": "2.14", "tables": [table]}


ROWS = [("netdraft", "native", 75.0), ("peer", "openvino", 100.0), ("peer", "eager", 250.0)]


def test_ratios_are_to_the_fastest_peer() -> None:
    lines = as_text(result(ROWS)).splitlines()
    row = next(line for line in lines if "native  " in line and "0.75" in line)
    assert row.split()[:7] == [">", "netdraft", "native", "75.0", "37.5", "53.3", "0.75"]
    assert next(line for line in lines if "peer eager" in line).split()[5] == "2.50"
    assert any("floor: 120.0 ms direct" in line and "160 %" in line for line in lines)
    assert any("200 GFLOP/s" in line and "1x1 convolution, float32" in line for line in lines)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3, 1e5])
def test_the_table_fits_80_columns(scale: float) -> None:
    rows = [(side, name, ms * scale) for side, name, ms in ROWS]
    rows.append(("netdraft", "a_target_with_a_very_long_name", 3e4))
    assert max(map(len, as_text(result(rows)).splitlines())) <= 80


def test_short_times_have_three_digits() -> None:
    rows = [("netdraft", "a", 0.4567), ("netdraft", "b", 4.567), ("netdraft", "c", 45.67)]
    lines = [line.split() for line in as_text(result(rows)).splitlines() if line[:1] == ">"]
    assert [line[3] for line in lines] == ["0.457", "4.57", "45.7"]


def test_a_table_without_peers_has_no_ratio() -> None:
    text = as_text(result(ROWS[:1], limits={}, profile=[]))
    assert "0.75" not in text
    assert "floor" not in text


def test_a_table_of_nothing_says_why() -> None:
    nothing = result([], profile=[])
    why = "  peer tensorrt: the target `tensorrt` needs an NVIDIA GPU, not cpu"
    assert as_text(nothing).splitlines()[-1] == why
    ElementTree.fromstring(as_svg(nothing))


def test_the_picture_says_what_the_table_says() -> None:
    tree = ElementTree.fromstring(as_svg(result(ROWS)))
    said = [element.text for element in tree.iter("{http://www.w3.org/2000/svg}text")]
    for words in ("netdraft native", "timm 1.0 openvino", "75.0", "100.0", "250.0"):
        assert words in said
    widths = [float(e.attrib["width"]) for e in tree.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert widths == pytest.approx([440 * 75 / 250, 440 * 100 / 250, 440])


def test_the_floor_of_two_layers_by_hand() -> None:
    graph = graph_of(TINY)
    floor = floor_of(graph, torch.bfloat16)
    conv, projection, linear = 144 * 16 * 27, 144 * 16 * 16, 16 * 4
    assert floor.macs == conv + projection + linear
    short = round(conv * 64 / 324)  # F(6x6, 3x3): 64 products for 36 outputs of 9 taps
    assert floor.short_macs == short + projection + linear
    weights = 16 * 27 + 16 * 16 + 16 * 4 + 4
    assert floor.parameter_bytes >= 2 * weights
    ceiling = Ceiling(flops=2e9, bandwidth=1e9)
    assert floor.arithmetic_seconds(3, ceiling) == pytest.approx(3 * floor.macs / 1e9)
    moved = floor.parameter_bytes + 3 * floor.activation_bytes
    assert floor.memory_seconds(3, ceiling) == pytest.approx(moved / 1e9)


def test_a_run_records_what_can_be_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(TINY)
    case = make_case(graph, 2, "float32", "cpu")
    subjects = list(netdraft_subjects(case, ("plain", "eager", "tensorrt")))
    quick(monkeypatch, *subjects, *(s for s in peer_subjects(case) if s.name == "eager"))
    said: list[str] = []
    made = run_plan(graph, Plan((2,), ("float32",), rounds=2), said.append)
    assert said == ["tiny: inference, float32, batch 2"]
    assert json.loads(json.dumps(made)) == made
    (table,) = made["tables"]
    assert [(r["side"], r["subject"]) for r in table["rows"]] == [
        ("netdraft", "plain"), ("netdraft", "eager"), ("peer", "eager"),
    ]  # fmt: skip
    assert all(len(r["times_ms"]) == 2 for r in table["rows"])
    assert table["rows"][1]["error"] < 1e-5
    assert "needs an NVIDIA GPU" in table["refused"]["netdraft tensorrt"]
    assert made["versions"]["torch"]
    assert max(map(len, as_text(made).splitlines())) <= 80


def test_tf32_is_a_precision_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(TINY)
    case = make_case(graph, 1, "tf32", "cpu")
    assert (case.dtype, case.request.tf32, case.precision) == (torch.float32, True, "tf32")
    assert not make_case(graph, 1, "float32", "cpu").request.tf32
    quick(monkeypatch, *netdraft_subjects(case, ("eager",)))
    said: list[str] = []
    made = run_plan(graph, Plan((1,), ("tf32",), rounds=1), said.append)
    assert said == ["tiny: inference, tf32, batch 1"]
    (table,) = made["tables"]
    assert table["dtype"] == "tf32"
    assert table["rows"][0]["error"] < run.BOUNDS["tf32"] == 1e-2  # eleven bits, some layers deep


def test_a_mode_beyond_its_bound_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(TINY)
    case = make_case(graph, 1, "float32", "cpu")
    good = next(iter(netdraft_subjects(case, ("eager",))))
    wrong = Subject("wrong", "netdraft", lambda: lambda: good.build()() * 1.01)  # type: ignore[operator]
    quick(monkeypatch, wrong)
    with pytest.raises(
        BackendError, match=r"netdraft wrong is 0\.01 off the reference, bound 0\.0001"
    ):
        run_plan(graph, Plan((1,), ("float32",), rounds=1), lambda _: None)


def test_the_last_image_of_a_large_batch_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(TINY)
    case = make_case(graph, 20, "float32", "cpu")
    good = next(iter(netdraft_subjects(case, ("eager",)))).build()
    scales = torch.ones(20, 1)
    quick(monkeypatch, Subject("some", "netdraft", lambda: lambda: good() * scales))  # type: ignore[operator]
    made = run_plan(graph, Plan((20,), ("float32",), rounds=1), lambda _: None)
    assert made["tables"][0]["rows"][0]["error"] < 1e-5
    scales[-1] = 1.5
    with pytest.raises(BackendError, match="netdraft some is 0"):
        run_plan(graph, Plan((20,), ("float32",), rounds=1), lambda _: None)


def test_a_peer_that_cannot_be_built_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Callable[[], object]:
        raise RuntimeError("no compiler was found\nand much more")

    graph = graph_of(TINY)
    case = make_case(graph, 1, "float32", "cpu")
    eager = next(iter(netdraft_subjects(case, ("eager",))))
    quick(monkeypatch, eager, Subject("compile", "peer", fail))
    (table,) = run_plan(graph, Plan((1,), ("float32",), rounds=1), lambda _: None)["tables"]
    assert table["refused"] == {"peer compile": "no compiler was found"}
    assert [row["subject"] for row in table["rows"]] == ["eager"]


def test_a_dead_signal_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "randomize", lambda module, seed, *example: kill(module))
    with pytest.raises(BackendError, match="a comparison would say nothing"):
        make_case(graph_of(TINY), 1, "float32", "cpu")


def kill(module: torch.nn.Module) -> None:
    """Make every output equal the bias, as torch's own initialisation does to deep networks."""
    for parameter in module.parameters():
        parameter.data.mul_(1e-8)


def test_a_training_step_updates_the_same_parameters_on_either_side() -> None:
    case = make_case(graph_of(TINY), 2, "float32", "cpu")
    subjects = list(training_subjects(case, compiled=False))
    assert [(s.side, s.name) for s in subjects] == [
        ("netdraft", "native"), ("netdraft", "eager"), ("netdraft", "channels_last"),
        ("peer", "eager"), ("peer", "channels_last"),
    ]  # fmt: skip
    before = copy.deepcopy(case.optimized.plain_state)
    for subject in subjects:
        if subject.name != "native" or not missing():
            subject.build()()
    for name, value in before.items():
        assert torch.equal(case.optimized.plain_state[name], value), "a step changed the case"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--batch", "0"), "argument --batch: `0` is not a whole number from 1"),
        (("--batch", "1,x"), "argument --batch: `x` is not a whole number from 1"),
        (("--dtype", "int8"), "argument --dtype: `int8`: known are float32, tf32, bfloat16"),
        (("--targets", "fast"), "--targets `fast`: known are native, openvino"),
        (("--device", "tpu"), "--device tpu"),
        (("--device", "cuda"), "--device cuda: this torch sees no GPU"),
    ],
)
def test_wrong_options_are_one_line(
    arguments: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    try:
        code: object = main(["bench", str(tmp_path / "tiny.yaml"), *arguments])
    except SystemExit as left:  # argparse's own
        code = left.code
    assert code == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_a_failing_process_is_a_message() -> None:
    with pytest.raises(BackendError, match=r"^memory of peer eager: .*there is no spec nosuch$"):
        memory.measure_memory("nosuch", "peer", "eager", "float32", 1, "cpu", [])


@kernels
def test_peak_memory_has_the_weights_where_they_are_in_memory(tmp_path: Path) -> None:
    layer = (
        "  - {conv: 1x1, filters: 1024, norm: batch_norm}\n"  # 4 MB of weights each but the first
    )
    spec = tmp_path / "heavy.yaml"
    spec.write_text(f"network: heavy\ninput: {{image: [3, 8, 8]}}\nlayers:\n{layer * 17}")
    eager, lean = (
        memory.measure_memory(str(spec), side, subject, "float32", 1, "cpu", [])
        for side, subject in (("peer", "eager"), ("netdraft", "native_lean"))
    )
    assert 64 < eager < 100
    assert lean < 32


def test_on_a_gpu_its_own_memory_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: done.append("waited"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (3 << 30, 10 << 30))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: done.append("emptied"))
    device = torch.device("cuda")
    memory.settle(device)
    assert memory.peak_bytes(device) == memory.used_bytes(device) == 7 << 30
    assert done == ["emptied", "waited", "waited"]
