"""`padding: half` is `dilation * (k - 1) // 2` on every side, as PyTorch's users write it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from backends.torch.module import build_module
from backends.torch.source import emit_source
from compiler.graph import Graph
from compiler.pipeline import draft_graph, load_graph
from tests.oracle.ways import module_from

IMAGE = torch.randn(2, 3, 19, 24)


def load(folder: Path, layers: str, params: str = "") -> Graph:
    spec = folder / "t.yaml"
    spec.write_text(f"network: t\ninput: {{x: [3, 19, 24]}}\n{params}layers:\n  - {layers}\n")
    return load_graph(spec)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 7])
def test_convolution(tmp_path: Path, kernel: int, dilation: int, stride: int) -> None:
    keys = f"conv: {kernel}, filters: 4, stride: {stride}, dilation: {dilation}, padding: half"
    graph = load(tmp_path, f"{{{keys}}}")
    module = build_module(graph)
    weight, bias = module.state_dict().values()
    padding = dilation * (kernel - 1) // 2
    want = F.conv2d(IMAGE, weight, bias, stride, padding, dilation)
    assert tuple(want.shape[1:]) == graph.nodes[graph.outputs[0].node].shape
    torch.testing.assert_close(module(IMAGE).detach(), want)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [(2, 3), (3, 5)])
def test_pooling(tmp_path: Path, kernel: tuple[int, int], stride: int) -> None:
    height, width = kernel
    keys = f"max_pool: {height}x{width}, stride: {stride}, padding: half"
    module = build_module(load(tmp_path, f"{{{keys}}}"))
    padding = ((height - 1) // 2, (width - 1) // 2)
    torch.testing.assert_close(module(IMAGE), F.max_pool2d(IMAGE, kernel, stride, padding))


BLOCK = """\
params: {k: 3, d: 1, pad: half}
blocks:
  b:
    params: {k: {type: int}, d: {type: int}, pad: {type: padding, default: half}}
    layers: [{conv: k, filters: 4, dilation: d, padding: pad, stride: 2}]
"""


@pytest.mark.parametrize("values", [{}, {"k": "5"}, {"d": "2"}, {"pad": "same"}, {"pad": "1"}])
def test_of_parameters(tmp_path: Path, values: dict[str, str]) -> None:
    load(tmp_path, "{block: b, with: {k: k, d: d, pad: pad}}", BLOCK)
    graph = load_graph(tmp_path / "t.yaml", values)
    kernel, dilation = int(values.get("k", 3)), int(values.get("d", 1))
    source = module_from(emit_source(graph))
    weight, bias = source.state_dict().values()
    padding = 1 if values.get("pad") else dilation * (kernel - 1) // 2
    moved = F.pad(IMAGE, (0, 1, 1, 1)) if values.get("pad") == "same" else IMAGE
    pads = 0 if values.get("pad") == "same" else padding
    want = F.conv2d(moved, weight, bias, 2, pads, dilation)
    torch.testing.assert_close(source(IMAGE).detach(), want)


def test_it_follows_the_kernel_and_the_dilation_that_a_constructor_takes(tmp_path: Path) -> None:
    load(tmp_path, "{block: b, with: {k: k, d: d, pad: pad}}", BLOCK)
    source = emit_source(load_graph(tmp_path / "t.yaml"))
    assert "def __init__(self, in_channels: int, *, k: int, d: int) -> None:" in source
    padding = "padding=d * (k - 1) // 2"
    line = f"nn.Conv2d(in_channels, 4, k, stride=2, {padding}, dilation=d)"
    assert line in " ".join(source.split()).replace("( ", "(").replace(" )", ")")


def test_a_constructor_takes_no_dilation_of_the_network_in_a_block(tmp_path: Path) -> None:
    params = BLOCK.replace("dilation: d, ", "") + "defaults: {conv: {dilation: d}}\n"
    graph = load(tmp_path, "{block: b, with: {k: k, d: 1, pad: pad}}", params)
    source = emit_source(graph)
    assert "nn.Conv2d(in_channels, 4, 3, stride=2, padding=1)" in source


def test_a_parameter_of_that_name_goes_before(tmp_path: Path) -> None:
    graph = load(tmp_path, "{conv: 7, filters: 4, padding: half}", "params: {half: 1}\n")
    assert graph.nodes[graph.outputs[0].node].shape == (4, 15, 20)


def test_defaults_have_it_too(tmp_path: Path) -> None:
    params = "params: {d: 2}\ndefaults: {conv: {padding: half, dilation: d, filters: 4}}\n"
    graph = load(tmp_path, "{conv: 5x3}", params)
    assert graph.nodes["conv_5x3"].shape == (4, 19, 24)
    assert graph.nodes["conv_5x3"].op.attributes()["padding"] == ((4, 4), (2, 2))


def test_another_word_is_none(tmp_path: Path) -> None:
    spec = tmp_path / "t.yaml"
    text = "network: t\ninput: {x: [3, 8, 8]}\nlayers: [{conv: 3, filters: 4, padding: hafl}]\n"
    spec.write_text(text)
    ((message, help),) = [(d.message, d.help) for d in draft_graph(spec)[1].errors]
    assert message == "`padding` of `conv`: there is no padding `hafl` (did you mean `half`?)"
    assert help == "write `same`, `V` (valid), `half`, or numbers"
