"""Taps mean the same in every target, and no name stands for two tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from backends.onnx.model import build_onnx
from backends.onnx.names import UniqueNames
from backends.state.parameters import convert_state
from backends.torch.module import build_module
from backends.torch.source import emit_source
from compiler.errors import BackendError, UsageError
from compiler.graph import Graph
from compiler.passes.optimizer import optimize_graph
from compiler.pipeline import load_graph

SPEC = """\
network: t
input: {image: [3, 8, 8]}
blocks:
  unit: {layers: [{conv: 1x1, filters: 4, name: c}, {relu: true, name: r}]}
layers:
  - {conv: 3x3, filters: 4, name: a}
  - {block: unit, name: stem}
  - {layers: [{conv: 1x1, filters: 4, name: b}], name: a_x}
  - {conv: 1x1, filters: 4, name: a_x_b}
  - {add: [a, a_x_b], name: s}
outputs: [{name: stem, from: a}, {name: y, from: s}]
"""


def graph_of(folder: Path, text: str) -> Graph:
    (folder / "t.yaml").write_text(text)
    return load_graph(folder / "t.yaml")


def arrays(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


def run_onnx(model: onnx.ModelProto, image: torch.Tensor) -> dict[str, np.ndarray]:
    """Return name of an output -> its tensor."""
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"image": image.numpy()}), strict=True))


@pytest.mark.parametrize("flat", [False, True], ids=["functions", "flat"])
@pytest.mark.parametrize(
    "taps", [("a", "a"), ("y", "s"), ("a_x.b", "a_x_b", "a_x"), ("stem.c", "stem.r")], ids=str
)
def test_module_and_onnx_give_the_same_taps(
    tmp_path: Path, taps: tuple[str, ...], flat: bool
) -> None:
    graph = graph_of(tmp_path, SPEC)
    module = build_module(graph, taps=taps).eval()
    image = torch.randn(2, 3, 8, 8)
    outputs, tapped = module(image)
    found = run_onnx(build_onnx(graph, arrays(module), taps=taps, flat=flat), image)
    expected = {"stem": outputs.stem, "y": outputs.y, **tapped}
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], tensor.detach().numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("tap", "message"),
    [
        (
            "stem",
            "tap `stem` is the tensor of `stem.r`, and the output `stem` is that of `a`; "
            "tap `stem.r`, or call the output otherwise",
        ),
        ("", "tap `` is no node, block or branch of `t`"),
        ("stem.d", "tap `stem.d` is no node, block or branch of `t` (did you mean `stem.r`?)"),
    ],
)
def test_what_cannot_be_tapped_is_refused_alike(tmp_path: Path, tap: str, message: str) -> None:
    graph = graph_of(tmp_path, SPEC)
    for build in (emit_source, build_module, lambda g, taps: build_onnx(g, {}, taps=taps)):
        with pytest.raises(UsageError) as found:
            build(graph, taps=[tap])
        assert str(found.value) == message


def test_an_input_can_be_tapped_in_a_module_only(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, SPEC)
    image = torch.randn(1, 3, 8, 8)
    assert build_module(graph, taps=["image"])(image)[1]["image"] is image
    with pytest.raises(BackendError) as found:
        build_onnx(graph, {}, taps=["image"])
    assert str(found.value) == "tap `image` is an input of the network, not a computed tensor"


CLASH = """\
network: t
input: {image: [3, 8, 8]}
layers:
  - branches:
      one: [{conv: 1x1, filters: 4, activation: relu, name: p}]
      two: [{conv: 1x1, filters: 6, activation: relu, name: q}]
    join: concat
  - {conv: 3x3, filters: 4, name: merged_1x1_2_relu}
  - {conv: 3x3, filters: 4, name: last}
outputs: [{name: merged_1x1, from: last}, merged_1x1_2_relu]
"""


def test_names_of_merged_layers_are_nobody_else_s(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, CLASH)
    module = build_module(graph).eval()
    optimized = optimize_graph(graph)
    assert {"merged_1x1_2", "merged_1x1_2_relu_2"} <= set(optimized.nodes)
    fast = build_module(optimized).eval()
    fast.load_state_dict(convert_state(optimized, module.state_dict()))
    image = torch.randn(2, 3, 8, 8)
    found = run_onnx(build_onnx(optimized, arrays(fast)), image)
    for expected, quick, name in zip(module(image), fast(image), found, strict=True):
        torch.testing.assert_close(quick, expected, atol=1e-5, rtol=1e-4)
        np.testing.assert_allclose(found[name], expected.detach().numpy(), atol=1e-5)


def test_a_name_that_is_taken_gets_a_number() -> None:
    names = UniqueNames(("x",))
    assert [names.of(thing, "x") for thing in (1, 2, 1)] == ["x/2", "x/3", "x/2"]
    assert names.of(3, "y") == "y"
