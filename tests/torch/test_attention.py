"""Spatial gates and what they are made of, differences, maxima, dropped paths: as in PyTorch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from backends.torch.module import build_module
from backends.torch.source import emit_source
from compiler.facts.labels import label_of
from compiler.passes.optimizer import optimize_graph
from compiler.pipeline import draft_graph, load_graph, target_graph
from tests.oracle.ways import module_from

IMAGE = torch.randn(4, 3, 5, 6)
RELU = IMAGE.relu()

CBAM = """\
network: cbam
input: {x: [8, 6, 5]}
layers:
  - {branches: {mean: [channel_mean], max: [channel_max]}, join: concat}
  - {conv: 7x7, filters: 1, padding: half, bias: false, name: conv}
  - sigmoid
  - {multiply: [x, sigmoid], name: out}
"""


class SpatialAttention(nn.Module):
    """The second half of CBAM (arXiv 1807.06521), as its paper has it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        maps = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True).values], 1)
        return x * torch.sigmoid(self.conv(maps))


def test_spatial_attention(tmp_path: Path) -> None:
    spec = tmp_path / "t.yaml"
    spec.write_text(CBAM)
    graph = load_graph(spec)
    assert str(graph.nodes["out"].shape) == "(N, 8, 6, 5)"
    assert graph.macs() == 2 * 49 * 6 * 5
    peer, x = SpatialAttention(), torch.randn(2, 8, 6, 5)
    for module in (build_module(graph), module_from(emit_source(graph))):
        module.load_state_dict(peer.state_dict())
        torch.testing.assert_close(module(x), peer(x))


LAYERS: dict[str, Tensor] = {
    "{channel_mean: true, from: x}": IMAGE.mean(1, keepdim=True),
    "{channel_max: true, from: x}": IMAGE.amax(1, keepdim=True),
    "{subtract: [x, r]}": IMAGE - RELU,
    "{subtract: [r, x]}": RELU - IMAGE,
    "{maximum: [x, r, h]}": torch.maximum(torch.maximum(IMAGE, RELU), IMAGE * 0.5),
    "{multiply: [x, m]}": IMAGE * IMAGE.mean(1, keepdim=True),
    "{branches: {a: [], b: [{scale: 0.25}]}, join: subtract}": IMAGE * 0.5 * 0.75,
    "{branches: {a: [], b: [relu], c: [{scale: 2}]}, join: maximum}": RELU,
}


def spec_of(folder: Path, layer: str) -> Path:
    spec = folder / "t.yaml"
    spec.write_text(
        "network: t\ninput: {x: [3, 5, 6]}\nlayers:\n  - {relu: true, name: r}\n"
        "  - {channel_mean: true, name: m, from: x}\n  - {scale: 0.5, name: h, from: x}\n"
        f"  - {layer}\n"
    )
    return spec


@pytest.mark.parametrize("layer", LAYERS)
def test_layer(tmp_path: Path, layer: str) -> None:
    graph = load_graph(spec_of(tmp_path, layer))
    for module in (build_module(graph), module_from(emit_source(graph))):
        torch.testing.assert_close(module(IMAGE), LAYERS[layer])


WRONG = {
    "{subtract: [x, r, h]}": ("operand-count", "`subtract`: subtract takes two operands, it has 3"),
    "{subtract: [x, m]}": ("shape-mismatch", "`subtract` cannot subtract 5x6x1 with 5x6x3"),
    "{maximum: [x, m]}": (
        "shape-mismatch",
        "`maximum` cannot take the maximum of 5x6x1 with 5x6x3",
    ),
    "{multiply: [m, x]}": ("operand-order", "`multiply` cannot multiply 5x6x1 with 5x6x3"),
}


@pytest.mark.parametrize("layer", WRONG)
def test_refusal(tmp_path: Path, layer: str) -> None:
    (found,) = draft_graph(spec_of(tmp_path, layer))[1].errors
    assert (found.code, found.message) == WRONG[layer]


def test_a_spatial_gate_that_stands_first(tmp_path: Path) -> None:
    (found,) = draft_graph(spec_of(tmp_path, "{multiply: [m, x]}"))[1].errors
    assert found.help == "write `multiply: [x, m]`"
    assert found.notes[-1] == (
        "`m` has one channel: it is spread over the channels of the operands that stand before it"
    )


def drop_path(folder: Path, share: str) -> nn.Module:
    spec = folder / "t.yaml"
    spec.write_text(
        "network: t\ninput: {x: [3, 2, 2]}\n"
        f"layers:\n  - {{layers: [{{drop_path: {share}}}], repeat: 3, name: d}}\n"
    )
    return build_module(load_graph(spec))


def test_dropped_paths(tmp_path: Path) -> None:
    """A sample is dropped whole, or divided by the share that is kept; evaluation keeps all."""
    module = drop_path(tmp_path, "{drop: 'max(0, index - 1) / 4'}")
    x = torch.rand(4000, 3, 2, 2) + 1
    torch.manual_seed(0)
    ratio = (module.train()(x) / x).flatten(1)
    torch.testing.assert_close(ratio.amin(1), ratio.amax(1))
    kept = ratio[:, 0] != 0
    torch.testing.assert_close(ratio[kept], torch.full_like(ratio[kept], 4 / 3))
    assert 0.72 < kept.float().mean() < 0.78
    assert torch.equal(module.eval()(x), x)


def test_all_paths_dropped(tmp_path: Path) -> None:
    module, x = drop_path(tmp_path, "{keep: 0}"), torch.rand(2, 3, 2, 2)
    assert torch.equal(module.train()(x), torch.zeros_like(x))


def test_a_dropped_path_leaves_no_trace_in_inference(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, "{drop_path: {drop: 0.1}, name: d}")
    spec.write_text(spec.read_text() + "  - {scale: 2, name: last}\n")
    graph = load_graph(spec)
    assert label_of(graph, "d") == "Drop path (keep 0.9)"
    assert "DropPath(p=0.1)" in emit_source(graph)
    optimized = optimize_graph(target_graph(graph))
    kinds = [node.op.printed_kind for node in optimized.nodes.values()]
    assert kinds == ["Input", "Scale", "Scale"]
