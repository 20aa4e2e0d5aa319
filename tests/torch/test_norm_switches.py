"""Batch norms with a scale, a shift, both or neither: what is counted, and what is computed."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from backends.onnx.model import build_onnx
from backends.state.weights_io import sizes_of
from backends.torch.module import build_module
from backends.torch.source import emit_source
from compiler.__main__ import main
from compiler.errors import CompileError
from compiler.facts.summarize import summarize
from compiler.graph import Graph
from compiler.pipeline import load_graph
from compiler.weights.sizes import tensor_sizes
from netdraft import optimize
from tests.oracle.numpy_oracle import evaluate
from tests.oracle.ways import module_from

SPEC = """
network: switches
input: {image: [3, 9, 8]}
defaults:
  conv: {norm: batch_norm, activation: relu}
  batch_norm: {eps: 1.0e-3, momentum: 0.1, scale: SCALE, shift: SHIFT}
layers:
  - {conv: 3x3, filters: 5, name: one}
  - branches:
      left: [{conv: 1x1, filters: 4}]
      right: [{conv: 1x1, filters: 6}]
    join: concat
  - {batch_norm: true, name: alone}
  - relu
  - {global_avg_pool: true}
  - {linear: 7, bias: false, name: fc}
  - {batch_norm: true, name: vector}
"""
SWITCHES = [(True, True), (False, True), (True, False), (False, False)]
NORM_CHANNELS = 5 + 4 + 6 + 10 + 7
WEIGHTS = 5 * 27 + 4 * 5 + 6 * 5 + 7 * 10


def network(folder: Path, scale: bool, shift: bool) -> Graph:
    path = folder / "switches.yaml"
    words = {True: "true", False: "false"}
    path.write_text(SPEC.replace("SCALE", words[scale]).replace("SHIFT", words[shift]))
    return load_graph(path)


def filled(graph: Graph) -> nn.Module:
    """Return the module with random parameters and statistics, in evaluation mode."""
    module = build_module(graph)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                drawn = torch.randn(value.shape, generator=generator)
                value.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else drawn)
    return module.eval()


def batch(seed: int = 1) -> Tensor:
    return torch.randn(16, 3, 9, 8, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=SWITCHES, ids=lambda s: f"scale={s[0]}-shift={s[1]}")
def graph(request: pytest.FixtureRequest, tmp_path: Path) -> Graph:
    return network(tmp_path, *request.param)


@pytest.mark.parametrize(("scale", "shift"), SWITCHES)
def test_counts(tmp_path: Path, scale: bool, shift: bool) -> None:
    graph = network(tmp_path, scale, shift)
    module = build_module(graph)
    summary = summarize(graph)
    learned = WEIGHTS + (scale + shift) * NORM_CHANNELS
    assert summary.parameters == learned
    assert sum(p.numel() for p in module.parameters()) == learned
    assert summary.buffers == 2 * NORM_CHANNELS
    statistics = [b for b in module.buffers() if b.is_floating_point()]
    assert sum(b.numel() for b in statistics) == 2 * NORM_CHANNELS
    assert tensor_sizes(graph) == sizes_of(module.state_dict())
    parts = ["weight"] * scale + ["bias"] * shift
    names = [n.removeprefix("alone.") for n in module.state_dict() if n.startswith("alone.")]
    assert names == [*parts, "running_mean", "running_var", "num_batches_tracked"]


def test_every_target_computes_the_same(graph: Graph) -> None:
    module, x = filled(graph), batch()
    state = {name: value.numpy() for name, value in module.state_dict().items()}
    want = evaluate(graph, state, {"image": x.numpy()})["vector"]
    source = module_from(emit_source(graph))
    source.load_state_dict(module.state_dict(), strict=True)
    session = onnxruntime.InferenceSession(
        build_onnx(graph, state).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    fast = optimize(module)
    with torch.no_grad():
        got = {
            "module": module(x),
            "copy": copy.deepcopy(module)(x),
            "pickle": pickle.loads(pickle.dumps(module))(x),
            "source": source.eval()(x),
            "optimised": fast.for_inference(target="eager")(x),
            "training": optimize(module).for_training().eval()(x),
            "compiled": torch.compile(module, backend="aot_eager")(x),
            "onnx": torch.from_numpy(session.run(None, {"image": x.numpy()})[0]),
        }
    for value in got.values():
        np.testing.assert_allclose(value.numpy(), want, rtol=1e-4, atol=1e-5)


def test_training_is_torchs_with_ones_and_zeros(graph: Graph) -> None:
    module = filled(graph).train()
    reference = copy.deepcopy(module)
    for name, layer in list(reference.named_modules()):
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            whole = _whole(layer)
            parent, _, last = name.rpartition(".")
            setattr(reference.get_submodule(parent), last, whole)
    weights = torch.randn(16, 7, generator=torch.Generator().manual_seed(4))
    results = []
    for net in (module, optimize(module).for_training(), reference):
        net.zero_grad()
        out = net(batch(2))
        (out * weights).sum().backward()
        gradients = {n: p.grad for n, p in net.named_parameters() if p.grad is not None}
        results.append((out.detach(), gradients, dict(net.named_buffers())))
    (out, gradients, buffers), fast, (want, expected, statistics) = results
    torch.testing.assert_close(out, want)
    assert set(gradients) <= set(expected)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name])
        torch.testing.assert_close(fast[1][name], expected[name], rtol=1e-3, atol=1e-4)
    assert set(buffers) == set(statistics)


def _whole(layer: nn.Module) -> nn.Module:
    """Return torch's own norm with ones and zeros for what the layer does not learn."""
    assert isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)
    kind = nn.BatchNorm2d if isinstance(layer, nn.BatchNorm2d) else nn.BatchNorm1d
    made = kind(layer.num_features, layer.eps, layer.momentum)
    made.load_state_dict(layer.state_dict(), strict=False)
    return made.train()


def test_a_reset_and_a_synchronised_norm_keep_the_switches(tmp_path: Path) -> None:
    module = filled(network(tmp_path, False, True))
    alone = module.get_submodule("alone")
    assert isinstance(alone, nn.BatchNorm2d)
    shift = alone.bias.detach().clone()
    convert: Any = nn.SyncBatchNorm.convert_sync_batchnorm
    synchronised = convert(copy.deepcopy(module))
    assert torch.equal(synchronised.state_dict()["alone.bias"], shift)
    assert "alone.weight" not in synchronised.state_dict()
    alone.reset_parameters()
    assert "weight" not in dict(alone.named_parameters())
    assert float(alone.bias.detach().abs().max()) == 0


def test_the_emitted_class_is_one_screen(tmp_path: Path) -> None:
    source = emit_source(network(tmp_path, False, True))
    assert source.count("class Shift") == 2
    assert "class Scale" not in source
    assert "self.norm = ShiftNorm2d(out_channels, eps=0.001, momentum=0.1)" in source
    assert "self.vector = ShiftNorm1d(7, eps=0.001, momentum=0.1)" in source


# Learned without scale, and with running statistics and without scale (Keras's total): published
# for TF-Slim's and Keras's networks, hand arithmetic for the paper's.
TOTALS = [
    ("inception_v4", 42_648_232, 42_711_400),
    ("inception_resnet_v1", 22_742_808, 22_769_848),
    ("inception_resnet_v2", 32_417_496, 32_450_360),
    ("released/inception_resnet_v2_slim", 55_813_192, 55_873_736),
]


@pytest.mark.parametrize(("spec", "learned", "total"), TOTALS)
def test_networks_as_tensorflow_counts_them(
    tmp_path: Path, spec: str, learned: int, total: int
) -> None:
    path = tmp_path / "child.yaml"
    path.write_text(
        f"extends: {spec}.yaml\nnetwork: child\ndefaults: {{batch_norm: {{scale: false}}}}\n"
    )
    summary = summarize(load_graph(path))
    assert (summary.parameters, summary.buffers) == (learned, total - learned)


@pytest.mark.parametrize("key", ["affine", "center"])
def test_words_of_others(tmp_path: Path, key: str) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        f"network: t\ninput: {{x: [3, 8, 8]}}\nlayers: [{{batch_norm: true, {key}: false}}]\n"
    )
    with pytest.raises(CompileError) as caught:
        load_graph(path)
    (found,) = caught.value.diagnostics
    assert found.message.startswith(f"`batch_norm` has no key `{key}`")
    assert found.help.startswith(
        "a batch norm has two switches, `scale: false` and `shift: false`; "
    )


def test_running_statistics_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "inception_v4", "--buffers"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].split() == ["stage", "output", "parameters", "stats", "MMAC", "MiB", "sees"]
    assert lines[5].split() == ["Stem", "35x35x384", "605,728", "1,728", "2,290", "78.0", "55x55"]
    assert lines[16].split()[:3] == ["total", "42,679,816", "63,168"]
    assert lines[18] == "stats: running statistics of batch norms, a mean and a variance a channel"
    assert main(["summary", "inception_v4", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["buffers"] == sum(stage["buffers"] for stage in data["stages"]) == 63_168
