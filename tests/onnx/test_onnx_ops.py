"""Every operation in ONNX Runtime against the NumPy oracle, at the opsets that differ."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import onnxruntime
import pytest

from backends.onnx.files import check_onnx
from backends.onnx.model import OPSET, OPSETS, build_onnx
from compiler.errors import BackendError
from compiler.graph import Pair, letter
from compiler.ops import OPS, AdaptiveAvgPool2d, AvgPool2d, Conv2d, MaxPool2d, Normalize, Op
from tests.oracle.difference import relative_difference
from tests.oracle.numpy_oracle import evaluate
from tests.oracle.op_cases import CASES
from tests.oracle.small_graphs import random_inputs, random_state, single


def run(case: str, opset: int) -> tuple[np.ndarray, np.ndarray]:
    op, shapes = CASES[case]
    graph = single(op, *shapes)
    state, inputs = random_state(graph), random_inputs(graph)
    model = build_onnx(graph, state, opset=opset)
    check_onnx(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, inputs)[0], evaluate(graph, state, inputs)["y"]


@pytest.mark.parametrize("case", CASES)
def test_runtime_equals_oracle(case: str) -> None:
    got, want = run(case, OPSET)
    assert got.shape == want.shape
    assert relative_difference(got, want) < 2e-6
    assert want.std() > 0.01


@pytest.mark.parametrize("opset", [o for o in OPSETS if o != OPSET])
def test_other_opsets_make_the_same_numbers(opset: int) -> None:
    for case in [c for c in CASES if "on 9x9" not in c and "on 8x6" not in c]:
        got, want = run(case, opset)
        assert relative_difference(got, want) < 2e-6, case


def test_every_operation_has_a_case() -> None:
    assert {op.kind for op, _ in CASES.values()} == set(OPS) - {"Input"}


def test_count_include_pad_is_always_written() -> None:
    for count in (False, True):
        graph = single(AvgPool2d((3, 3), count_include_pad=count), (1, 4, 4))
        (node,) = build_onnx(graph, {}).graph.node
        flags = {a.name: a.i for a in node.attribute}
        assert flags["count_include_pad"] == int(count)


def test_padding_is_numbers_and_never_automatic() -> None:
    for case, (op, shapes) in CASES.items():
        graph = single(op, *shapes)
        for node in build_onnx(graph, random_state(graph)).graph.node:
            names = {a.name for a in node.attribute}
            assert "auto_pad" not in names, case
            padded = {"Conv", "ConvTranspose", "MaxPool", "AveragePool"}
            assert ("pads" in names) == (node.op_type in padded), case


def test_normalize_of_zeros_is_zeros() -> None:
    model = build_onnx(single(Normalize(), (4,)), {})
    session = onnxruntime.InferenceSession(model.SerializeToString())
    assert not session.run(None, {"x0": np.zeros((2, 4), np.float32)})[0].any()


H, W = letter("H"), letter("W")


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (
            AdaptiveAvgPool2d((7, 7)),
            "`y`: the windows of adaptive pooling to 7x7 depend on the size HxW; "
            "fix the input size",
        ),
        (
            MaxPool2d((2, 2), (2, 2), ((1, 1), (1, 1)), ceil=True),
            "`y`: the last window of a ceil-mode pooling (kernel 2, stride 2) depends on the "
            "size H; fix the input size or use `ceil: false`",
        ),
    ],
)
def test_what_depends_on_an_open_size_is_refused(op: Op, message: str) -> None:
    graph = single(op, (3, H, W))
    with pytest.raises(BackendError) as refused:
        build_onnx(graph, {})
    assert str(refused.value) == message


@pytest.mark.parametrize("kernel", [(1, 1), (2, 3), (5, 4)], ids=str)
@pytest.mark.parametrize("stride", [(2, 2), (3, 1), (1, 4)], ids=str)
@pytest.mark.parametrize(
    "make",
    [
        partial(Conv2d, 4),
        partial(Conv2d, 4, dilation=(3, 2)),
        MaxPool2d,
        AvgPool2d,
        partial(AvgPool2d, count_include_pad=True),
    ],
    ids=["conv", "dilated", "max", "mean", "counted"],
)
def test_strided_same_padding_follows_an_open_size(
    make: Callable[..., Op], kernel: Pair, stride: Pair
) -> None:
    """Windows smaller than their stride and dilated ones, which ONNX Runtime's `auto_pad` lacks."""
    op = make(kernel_size=kernel, stride=stride)
    state = random_state(single(op, (3, 8, 8)))
    model = build_onnx(single(op, (3, H, W)), state)
    check_onnx(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for height, width in ((7, 10), (8, 8), (13, 9), (1, 2)):
        graph = single(op, (3, height, width))
        inputs = random_inputs(graph)
        (got,) = session.run(None, dict(inputs))
        np.testing.assert_allclose(got, evaluate(graph, state, inputs)["y"], atol=1e-5)


def test_ceil_mode_with_open_size_runs_at_every_size() -> None:
    op = MaxPool2d((3, 3), (2, 2), ((0, 0), (0, 0)), ceil=True)
    model = build_onnx(single(op, (1, H, W)), {})
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for height, width in ((5, 6), (9, 12)):
        x = np.random.default_rng(0).normal(size=(2, 1, height, width)).astype(np.float32)
        graph = single(op, (1, height, width))
        np.testing.assert_array_equal(
            session.run(None, {"x0": x})[0], evaluate(graph, {}, {"x0": x})["y"].astype(np.float32)
        )


def test_missing_weight_is_named() -> None:
    graph = single(Conv2d(4, (3, 3)), (3, 8, 8))
    with pytest.raises(BackendError, match=r"the weights lack 1 of 2 tensors, first `y\.bias`"):
        build_onnx(graph, {"y.weight": np.ones((4, 3, 3, 3))})


def test_unknown_opset_is_refused() -> None:
    with pytest.raises(BackendError, match=r"opset 9 is not in 17 to 24"):
        build_onnx(single(Normalize(), (4,)), {}, opset=9)
