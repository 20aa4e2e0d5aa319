"""The inference engine: every target computes the network, and tuning keeps the fastest."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from backends.bench import subjects
from backends.bench.subjects import Case, netdraft_subjects, peer_subjects
from backends.run import optimized as engine
from backends.run import targets
from backends.run.flat_module import build_flat_module
from backends.run.optimized import Optimized, optimize
from backends.run.targets import TARGETS, Request, build_runner, compile_module, gpu_settings
from backends.run.tune import LockFile, Tuned, medians
from backends.state.unit_scale import randomize
from backends.torch.module import build_module
from compiler.errors import BackendError
from compiler.graph import Graph
from tests.kernels import need_kernels
from tests.passes.random_specs import graph_of

SPEC = """
network: small
input: {image: [3, 19, 17]}
defaults: {conv: {norm: batch_norm, activation: relu}}
layers:
  - {conv: 3x3, filters: 16, stride: 2, padding: V}
  - branches:
      pool: [{avg_pool: 3x3}, {conv: 1x1, filters: 16}]
      one: [{conv: 1x1, filters: 8}]
      two: [{conv: 1x1, filters: 8}, {conv: 1x7, filters: 8}, {conv: 7x1, filters: 16}]
    join: concat
  - residual:
      body: [{conv: 1x1, filters: 40, norm: none, activation: none, bias: true}]
      scale: 0.2
      activation: relu
  - {max_pool: 3x3, stride: 2}
  - global_avg_pool
  - {linear: 5}
  - softmax
"""
BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 3e-2}
HERE = ("plain", "eager", "onnxruntime", "native", "native_lean")
SLOW = ("compile",)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def _own_lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "cached", lambda name: tmp_path / name)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return graph_of(SPEC)


@pytest.fixture
def module(graph: Graph) -> nn.Module:
    module = build_module(graph)
    randomize(module, 0, images(4))
    return module.eval()


def images(count: int) -> Tensor:
    return torch.randn(count, 3, 19, 17, generator=torch.Generator().manual_seed(count))


def distance(made: object, module: nn.Module, x: Tensor) -> float:
    """Return the largest difference from float64, as a part of the largest logit."""
    assert isinstance(made, Tensor)
    own = optimize(module)
    double = {name: value.double() for name, value in own.plain_state.items()}
    with torch.no_grad():
        reference = build_flat_module(own.plain, double)(x.double())
    assert float(reference.std()) > 0.05
    return float((made.double() - reference).abs().max() / reference.abs().max())


@pytest.mark.parametrize(
    ("target", "dtype"),
    [
        *((target, torch.float32) for target in HERE),
        *((target, torch.bfloat16) for target in HERE if target != "onnxruntime"),
    ],
    ids=str,
)
def test_every_target_computes_the_network(
    target: str, dtype: torch.dtype, module: nn.Module
) -> None:
    need_kernels(target)
    fast = optimize(module).for_inference(dtype=dtype, target=target)
    for count in (1, 3):
        made = fast(images(count))
        assert distance(made, module, images(count)) < BOUNDS[dtype]
        assert not made.requires_grad


TWO = """
network: two
input: {left: [3, 9, 11], right: [4, 9, 11]}
defaults: {conv: {norm: batch_norm, activation: relu}}
layers:
  - {conv: 3x3, filters: 16, from: left, name: a}
  - {conv: 1x1, filters: 16, from: right, name: b}
  - {add: [a, b], name: sum}
  - {conv: 3x3, filters: 8, name: map}
  - {global_avg_pool: true}
  - {linear: 5, name: logits}
outputs: [map, sum, logits]
"""


@pytest.mark.parametrize("target", HERE)
def test_every_target_takes_several_inputs_and_gives_several_outputs(target: str) -> None:
    need_kernels(target)
    module = build_module(graph_of(TWO))
    left, right = (
        torch.randn(4, c, 9, 11, generator=torch.Generator().manual_seed(c)) for c in (3, 4)
    )
    randomize(module, 0, left, right)
    own = optimize(module)
    double = {name: value.double() for name, value in own.plain_state.items()}
    with torch.no_grad():
        reference = build_flat_module(own.plain, double)(left.double(), right.double())
    left = left.contiguous(memory_format=torch.channels_last)  # one in another layout
    made = own.for_inference(target=target)(left, right)
    assert [tuple(t.shape) for t in made] == [(4, 8, 9, 11), (4, 16, 9, 11), (4, 5)]
    for one, wanted in zip(made, reference, strict=True):
        assert float((one.double() - wanted).abs().max() / wanted.abs().max()) < 1e-5


def test_what_is_compiled_is_the_optimised_network(
    module: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[fx.GraphModule] = []

    def keep(network: fx.GraphModule, _: torch.device) -> fx.GraphModule:
        compiled.append(network)
        return network

    monkeypatch.setattr(targets, "compile_module", keep)
    build_runner("compile", request(module))
    (network,) = compiled
    convolutions = [node for node in network.graph.nodes if node.target is F.conv2d]
    assert len(convolutions) == 5  # of seven: the siblings in front of branches are one


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's compiler warns of its own parts
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_compiled_network_computes_the_same(dtype: torch.dtype, module: nn.Module) -> None:
    fast = optimize(module).for_inference(dtype=dtype, target="compile")
    assert distance(fast(images(2)), module, images(2)) < BOUNDS[dtype]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("side", ["netdraft", "peer"])
def test_what_is_compiled_has_packed_constant_weights(
    side: str, module: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[nn.Module] = []

    def compile_and_keep(network: nn.Module, device: torch.device) -> Callable[..., object]:
        compiled.append(network)
        return compile_module(network, device)

    monkeypatch.setattr(targets, "compile_module", compile_and_keep)
    monkeypatch.setattr(subjects, "compile_module", compile_and_keep)
    own = optimize(module)
    case = Case(own.plain, own, (images(1),), torch.float32, module, "plain module")
    every = [*netdraft_subjects(case, ("compile",)), *peer_subjects(case)]
    run = next(s for s in every if (s.side, s.name) == (side, "compile")).build()
    before = run()
    (network,) = compiled
    with torch.no_grad():
        for value in (*network.parameters(), *network.buffers()):
            if value.dim() == 4:  # packed for oneDNN; others are constants where they lie
                value.zero_()
    after = run()
    assert isinstance(before, Tensor)
    assert isinstance(after, Tensor)
    assert torch.equal(before, after)


def test_inputs_come_in_any_dtype_and_layout(module: nn.Module) -> None:
    fast = optimize(module).for_inference(target="eager")
    want = fast(images(2))
    assert isinstance(want, Tensor)
    turned = images(2).permute(0, 1, 3, 2).contiguous().permute(0, 1, 3, 2)
    for x in (images(2).to(memory_format=torch.channels_last), turned, images(2).double()):
        torch.testing.assert_close(fast(x), want)


def request(module: nn.Module, dtype: torch.dtype = torch.float32) -> Request:
    own = optimize(module)
    return Request(own.graph, own.state, (own.plain, own.plain_state), (images(1),), dtype)


@pytest.mark.parametrize(
    ("target", "dtype", "why"),
    [
        ("cuda_graph", torch.float32, "needs an NVIDIA GPU, not cpu"),
        ("tensorrt", torch.float32, "needs an NVIDIA GPU, not cpu"),
        ("onnxruntime", torch.bfloat16, "computes float32, not torch.bfloat16"),
        ("native", torch.float16, "computes float32 or bfloat16, not torch.float16"),
        ("native_lean", torch.float16, "computes float32 or bfloat16, not torch.float16"),
    ],
)
def test_a_target_that_cannot_run_says_why(
    target: str, dtype: torch.dtype, why: str, module: nn.Module
) -> None:
    need_kernels(target)
    with pytest.raises(BackendError, match=why):
        build_runner(target, request(module, dtype))


def test_a_runtime_that_is_not_installed_is_named(
    module: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(BackendError, match="needs openvino, which is not installed"):
        build_runner("openvino", request(module))


def test_an_unknown_target_is_refused_with_the_known_ones(module: nn.Module) -> None:
    with pytest.raises(BackendError, match=r"unknown target `fast` \(known: auto, native"):
        optimize(module).for_inference(target="fast")


def test_an_interrupted_write_leaves_the_lock_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = LockFile(tmp_path / "tune.json")
    lock.write("a", Tuned("eager", {"eager": 1.0}))
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    lock.write("b", Tuned("plain", {"plain": 1.0}))
    found = LockFile(tmp_path / "tune.json")
    assert found.read("a") == Tuned("eager", {"eager": 1.0})
    assert found.read("b") is None


def test_medians() -> None:
    assert medians({"a": [5.0, 1.0, 3.0], "b": [2.0, 4.0]}) == {"a": 3.0, "b": 3.0}


@pytest.mark.parametrize("target", HERE)
def test_without_parameters_only_shapes_that_were_seen_run(target: str, module: nn.Module) -> None:
    need_kernels(target)
    if target == "onnxruntime":
        pytest.importorskip(target)
    fast = optimize(module).for_inference(target=target)
    image = images(2)
    expected = fast(image)
    kept = [weakref.ref(value) for value in fast.optimized.state.values()]
    fast.forget_parameters()
    gc.collect()
    assert not any(ref() is not None for ref in kept)
    assert torch.equal(fast(image), expected)
    with pytest.raises(BackendError, match=r"forget_parameters\(\) .*: 2x3x19x17$"):
        fast(image[:1])


def test_settings_of_a_gpu_are_put_back(module: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    cudnn, matrix = torch.backends.cudnn, torch.backends.cuda.matmul

    def flags() -> tuple[bool, bool, bool]:
        return cudnn.benchmark, cudnn.allow_tf32, matrix.allow_tf32

    before = flags()
    with gpu_settings(request(module).arithmetic):
        assert flags() == before  # of a CPU
    monkeypatch.setattr(Request, "device", torch.device("cuda"))
    for tf32 in (True, False):
        with gpu_settings(replace(request(module), tf32=tf32).arithmetic):
            assert flags() == (True, tf32, tf32)
        assert flags() == before
    with contextlib.suppress(ZeroDivisionError), gpu_settings(request(module).arithmetic):
        raise ZeroDivisionError
    assert flags() == before


def test_results_of_a_compiled_network_on_a_gpu_are_kept_from_the_next_run(
    module: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = torch.zeros(1, 5)
    monkeypatch.setattr(targets, "compile_module", lambda *_: lambda x: result.add_(1))
    monkeypatch.setattr(targets, "flat_module_of", lambda *_: None)
    monkeypatch.setattr(targets, "calling", lambda call, _: call)
    monkeypatch.setattr(Request, "device", torch.device("cuda"))
    run = build_runner("compile", request(module))
    first, second = run(images(1)), run(images(1))
    assert isinstance(first, Tensor)
    assert isinstance(second, Tensor)
    assert (float(first[0, 0]), float(second[0, 0])) == (2.0, 3.0)  # building ran once


def test_a_target_that_fails_says_what_went_wrong(
    module: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("No working C++ compiler found\nand much more")

    monkeypatch.setattr(targets, "compile_module", fail)
    with pytest.raises(BackendError, match=r"`compile` failed: No working C\+\+ compiler found$"):
        build_runner("compile", request(module))


def test_the_final_softmax_is_left_out(module: nn.Module) -> None:
    made = optimize(module).for_inference(target="eager")(images(2))
    assert isinstance(made, Tensor)
    assert (made < 0).any()  # logits
    torch.testing.assert_close(made, module(images(2)).detach(), atol=1e-4, rtol=1e-4)


def test_a_graph_needs_parameters(graph: Graph) -> None:
    with pytest.raises(ValueError, match="is a graph without parameters: pass `state` too"):
        optimize(graph)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_for_training_keeps_the_kind_of_numbers(module: nn.Module, dtype: torch.dtype) -> None:
    trained = optimize(module.to(dtype)).for_training().eval()
    x, close = images(2).to(dtype), 1e-12 if dtype == torch.float64 else 0.1
    torch.testing.assert_close(trained(x), module(x), rtol=close, atol=close)


def test_for_training_has_the_same_parameters(module: nn.Module) -> None:
    own: Optimized = optimize(module)
    trained = own.for_training()
    assert trained.training
    assert list(trained.state_dict()) == list(module.state_dict())
    first = next(p for p in trained.parameters() if p.dim() == 4)
    assert first.is_contiguous(memory_format=torch.channels_last)


def test_targets_are_known_by_name() -> None:
    assert set(HERE) | set(SLOW) <= set(TARGETS)
