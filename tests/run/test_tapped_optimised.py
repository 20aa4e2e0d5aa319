"""What is tapped is the same tensor after passes, in every target of an optimised network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import netdraft
from backends.state.unit_scale import randomize
from compiler.__main__ import main
from compiler.errors import BackendError
from compiler.graph import Graph
from compiler.passes.optimizer import optimize_graph
from tests.kernels import need_kernels

SPEC = """\
network: t
input: {image: [3, 16, 16]}
defaults: {conv: {norm: batch_norm, activation: relu}}
layers:
  - {conv: 3x3, filters: 16, name: a}
  - branches:
      p: [{avg_pool: 3x3}, {conv: 1x1, filters: 16}]
      q: [{conv: 1x1, filters: 16}]
      r: [{conv: 1x1, filters: 16}, {conv: 3x3, filters: 16}]
      s: [{identity: true}]
    join: concat
    name: m
  - residual:
      body: [{conv: 1x1, filters: 64, activation: none, norm: none}]
      scale: 0.2
      activation: relu
    name: n
  - {conv: 1x1, filters: 8, norm: none, activation: none, name: line}
  - {scale: 0.5, name: less}
  - {dropout: {drop: 0.5}, name: drop}
  - {concat: [drop, line], name: inner}
  - {concat: [inner, drop], name: outer}
  - {global_avg_pool: true, name: pool}
  - {linear: 4, name: fc}
  - softmax
"""
TARGETS = ("plain", "eager", "native", "native_lean", "onnxruntime")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    path = tmp_path_factory.mktemp("spec") / "t.yaml"
    path.write_text(SPEC)
    return netdraft.load(path)


def pictures(size: int = 16) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(3))


def tapped(graph: Graph, taps: list[str]) -> nn.Module:
    module = netdraft.build_module(graph, taps=taps).eval()
    randomize(module, 1)
    return module


def assert_same(got: Any, want: Any) -> None:
    """Compare results with taps, as a share of the largest value."""
    (out, taps), (wanted, wanted_taps) = got, want
    assert list(taps) == list(wanted_taps)
    for found, known in zip([out, *taps.values()], [wanted, *wanted_taps.values()], strict=True):
        scale = float(known.detach().abs().max())
        torch.testing.assert_close(found, known.detach(), rtol=1e-4, atol=1e-4 * scale)


KINDS = {
    "nodes and blocks": ("",),
    "convolutions": (".conv",),
    "norms": (".norm",),
    "activations": (".act",),
    "joins": ("concat", "add", "inner", "outer", "m", "n"),
    "what passes take out": ("identity", "drop", "less", "avg_pool_3x3", "scale", "s", "p"),
    "ends": ("image", "fc", "softmax", "pool"),
}


@pytest.mark.parametrize("target", [*TARGETS, "for_training"])
@pytest.mark.parametrize("kind", KINDS)
def test_taps_of_a_kind(graph: Graph, kind: str, target: str) -> None:
    need_kernels(target)
    names = [n for n in (*graph.nodes, *graph.regions) if n and n.endswith(KINDS[kind])]
    module = tapped(graph, names)
    optimized = netdraft.optimize(module)
    if target == "for_training":
        assert_same(optimized.for_training().eval()(pictures()), module(pictures()))
        return
    if "native" in target and kind in ("nodes and blocks", "convolutions"):
        with pytest.raises(BackendError) as refused:
            optimized.for_inference(target=target)
        assert str(refused.value) == (
            "`a.norm`: the native engine has no BatchNorm: it is not folded, since what it reads "
            "leaves too"
        )
        return
    fast = optimized.for_inference(target=target)
    assert_same(fast(pictures()), module(pictures()))


@pytest.mark.parametrize("last", ["max_pool: 1", "avg_pool: 1", "scale: 1", "upsample: 1"])
def test_a_softmax_inside_stays_when_what_follows_it_is_taken_out(
    tmp_path: Path, last: str
) -> None:
    spec, image = tmp_path / "t.yaml", pictures()
    spec.write_text(f"network: t\ninput: {{image: [3, 16, 16]}}\nlayers: [softmax, {{{last}}}]\n")
    optimized = optimize_graph(netdraft.load(spec))
    assert [n.op.kind for n in optimized.nodes.values()] == ["Input", "Softmax"]
    torch.testing.assert_close(netdraft.build_module(optimized)(image), torch.softmax(image, 1))
    for target in ("eager", "onnxruntime"):
        fast = netdraft.optimize(netdraft.build_module(spec)).for_inference(target=target)
        torch.testing.assert_close(fast(image), torch.softmax(image, 1))


@pytest.mark.parametrize("more", ["", ", identity"])
def test_a_tapped_softmax_of_the_input_stays_beside_it(tmp_path: Path, more: str) -> None:
    spec, taps = tmp_path / "t.yaml", ["softmax", *["identity"] * bool(more)]
    spec.write_text(f"network: t\ninput: {{image: [3, 16, 16]}}\nlayers: [softmax{more}]\n")
    image = pictures()
    softmax = {tap: torch.softmax(image, 1) for tap in taps}
    module = netdraft.build_module(spec, taps=taps)
    assert_same(module(image), (image, softmax))
    assert_same(netdraft.optimize(module).for_inference(target="eager")(image), (image, softmax))


@pytest.mark.parametrize(
    "tap", ["a.conv", "m.p.avg_pool_3x3", "m.q.conv_1x1", "m.s", "inner", "image"]
)
def test_a_tap_alone(graph: Graph, tap: str) -> None:
    module = tapped(graph, [tap])
    fast = netdraft.optimize(module).for_inference(target="eager")
    assert_same(fast(pictures()), module(pictures()))


def test_training_keeps_gradients_and_names_behind_taps(graph: Graph) -> None:
    module = tapped(graph, ["m", "a.conv"])
    student = netdraft.optimize(module).for_training(native=False)
    grads = []
    for one in (module.train(), student):
        for part in one.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0  # what it takes out depends on the layout of memory
        out, taps = one(pictures())
        (out.sum() + taps["m"].square().mean() + taps["a.conv"].mean()).backward()
        grads.append({name: p.grad for name, p in one.named_parameters()})
    assert grads[0].keys() == grads[1].keys()
    for name, grad in grads[0].items():
        torch.testing.assert_close(grads[1][name], grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("target", [*TARGETS, "for_training"])
def test_feature_maps(graph: Graph, target: str) -> None:
    need_kernels(target)
    module = netdraft.features(graph, ["n", "m.q", "a"]).eval()
    randomize(module, 1)
    optimized = netdraft.optimize(module)
    if target == "for_training":
        fast: nn.Module = optimized.for_training().eval()
        assert fast.state_dict().keys() == module.state_dict().keys()
    else:
        fast = optimized.for_inference(target=target)
    got, want = fast(pictures()), module(pictures())
    assert isinstance(got, list)
    assert fast.feature_info == module.feature_info
    assert_same((got[0], dict(enumerate(got))), (want[0], dict(enumerate(want))))


def test_one_feature_map_is_a_list_of_one(graph: Graph) -> None:
    module = netdraft.features(graph, ["m"]).eval()
    fast = netdraft.optimize(module).for_inference(target="eager")
    (got,), (want,) = fast(pictures()), module(pictures())
    torch.testing.assert_close(got, want.detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("spec", "size", "names"),
    [
        ("zoo/googlenet", 64, ()),
        ("zoo/googlenet", 64, ("conv_1", "conv_2.conv", "inception_4a", "inception_5b.pool")),
        ("zoo/inception_v3", 96, ("mixed_5b", "mixed_6a", "mixed_7c")),
        ("inception_v4", 80, ("stem", "a", "a.1", "reduction_a", "c")),
        ("inception_resnet_v2", 80, ("stem.conv_1a", "a.4.add", "reduction_b")),
    ],
)
@pytest.mark.slow
def test_maps_of_shipped_networks(spec: str, size: int, names: tuple[str, ...]) -> None:
    settings = {"aux": False} if spec == "zoo/inception_v3" else {}
    graph = netdraft.load(spec, settings, inputs=[f"3x{size}x{size}"])
    module = netdraft.features(graph, names).eval()
    randomize(module, 1)
    optimized, want = netdraft.optimize(module), module(pictures(size))
    for target in ("eager", "native"):
        if target == "native" and "conv_2.conv" in names:
            continue
        got = optimized.for_inference(target=target)(pictures(size))
        assert_same((got[0], dict(enumerate(got))), (want[0], dict(enumerate(want))))


def test_build_optimised_with_taps(tmp_path: Path, graph: Graph) -> None:
    """The emitted file and the model give what the network gives."""
    import onnxruntime

    (tmp_path / "t.yaml").write_text(SPEC)
    taps = ["m.p.avg_pool_3x3", "a.conv", "drop", "inner"]
    options = ["--optimize", "--taps", ",".join(taps), "--target", "source,onnx,export"]
    options += ["--save-weights", "--device", "cpu", "-o", str(tmp_path / "out")]
    assert main(["build", str(tmp_path / "t.yaml"), *options]) == 0
    module = netdraft.build_module(graph, taps=taps).eval()
    want = module(pictures()[:1])
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "t.onnx"))
    out, *rest = session.run(None, {"image": pictures()[:1].numpy()})
    values = [torch.from_numpy(value) for value in rest]
    assert_same((torch.from_numpy(out), dict(zip(taps, values, strict=True))), want)
    program = torch.export.load(tmp_path / "out" / "t.pt2")
    assert_same(program.module()(pictures()[:1]), want)
