"""ONNX: batches, adaptive pooling, means over padding; files are in tests/onnx."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from backends.onnx.model import OPSETS, build_onnx
from backends.torch.module import build_module
from compiler.graph import Graph
from tests.cases.conftest import Draft


def graph_of(draft: Draft, size: str, *layers: str) -> Graph:
    found = draft.layers(size, *layers)
    assert found.graph is not None
    assert found.errors == [], found.text
    return found.graph


def onnx_of(graph: Graph, **options: object) -> onnx.ModelProto:
    state = {n: t.numpy() for n, t in build_module(graph, seed=0).state_dict().items()}
    model: onnx.ModelProto = build_onnx(graph, state, **options)  # type: ignore[arg-type]
    return model


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (name,) = (entry.name for entry in session.get_inputs())
    result: np.ndarray = session.run(None, {name: x.astype(np.float32)})[0]
    return result


@pytest.mark.parametrize("batch", [1, 2, 5, 7])
def test_any_batch_and_no_constant_one(draft: Draft, batch: int) -> None:
    """See pytorch/pytorch#133653 and #42993: batch 1 was frozen into the file."""
    graph = graph_of(draft, "3x9x9", "{conv: 3x3, filters: 4}", "global_avg_pool", "{linear: 5}")
    model = onnx_of(graph)
    x = np.random.default_rng(0).normal(size=(batch, 3, 9, 9))
    module = build_module(graph, seed=0).eval()
    with torch.no_grad():
        want = module(torch.from_numpy(x.astype(np.float32))).numpy()
    np.testing.assert_allclose(run(model, x), want, atol=1e-5)
    assert model.graph.output[0].type.tensor_type.shape.dim[0].dim_param
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.INT64:
            assert onnx.numpy_helper.to_array(tensor).reshape(-1)[:1].tolist() != [1]


def test_adaptive_pooling_that_does_not_divide(draft: Draft) -> None:
    """See pytorch/pytorch#64806: a fixed pool in its place gives 1, 2, 3."""
    graph = graph_of(draft, "1x1x5", "{adaptive_avg_pool: 1x3}")
    row = np.arange(5.0).reshape(1, 1, 1, 5)
    assert run(onnx_of(graph), row).reshape(-1).tolist() == [0.5, 2.0, 3.5]
    assert build_module(graph)(torch.from_numpy(row)).reshape(-1).tolist() == [0.5, 2.0, 3.5]


@pytest.mark.parametrize("opset", OPSETS)
def test_means_over_padding_at_every_opset(draft: Draft, opset: int) -> None:
    """See microsoft/onnxruntime#24681 and onnx/onnx#4958."""
    ones = np.ones((1, 1, 3, 3))
    counted = graph_of(draft, "1x3x3", "{avg_pool: 3x3, stride: 1, count_include_pad: true}")
    assert run(onnx_of(counted, opset=opset), ones)[0, 0, 0, 0] == pytest.approx(4 / 9)
    real = graph_of(draft, "1x3x3", "{avg_pool: 3x3, stride: 1}")
    assert (run(onnx_of(real, opset=opset), ones) == 1).all()
    for size in range(3, 9):  # no window may lie in padding alone
        ceil = graph_of(draft, f"1x{size}x{size}", "{avg_pool: 2x2, stride: 3, ceil: true}")
        made = run(onnx_of(ceil, opset=opset), np.ones((1, 1, size, size)))
        assert (made == 1).all()
