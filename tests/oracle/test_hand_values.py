"""Numbers worked out by hand or published in bug reports, computed in every way."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.ops import AdaptiveAvgPool2d, AvgPool2d, Conv2d, MaxPool2d, Op
from tests.oracle.small_graphs import single
from tests.oracle.ways import WAYS, Way

VALID = ((0, 0), (0, 0))
ONE = ((1, 1), (1, 1))

ONES_3 = np.ones((3, 3))
ONES_4 = np.ones((4, 4))
FALLING = np.arange(16, 0, -1).reshape(4, 4)
NEGATIVES = np.array([[3, -4, -1], [-2, 5, -6], [-7, 0, -3]])
RAMP = np.arange(5).reshape(1, 5)

BORDER = [[4 / 9, 6 / 9, 4 / 9], [6 / 9, 1, 6 / 9], [4 / 9, 6 / 9, 4 / 9]]

CASES: dict[str, tuple[Op, np.ndarray, object]] = {
    # tensornets#25, pytorch/pytorch#45667: TensorFlow pads (0, 1) here, not (1, 1).
    "conv same at stride 2": (Conv2d(1, (3, 3), (2, 2), bias=False), ONES_4, [[9, 6], [6, 4]]),
    "conv pad 1 at stride 2": (
        Conv2d(1, (3, 3), (2, 2), ONE, bias=False),
        ONES_4,
        [[4, 6], [6, 9]],
    ),
    # microsoft/MMdnn#628, mseitzer/pytorch-fid#16
    "border with padding": (AvgPool2d((3, 3), padding=ONE, count_include_pad=True), ONES_3, BORDER),
    "border without padding": (AvgPool2d((3, 3), padding=ONE), ONES_3, np.ones((3, 3))),
    # microsoft/onnxruntime#24681: the same by SAME padding
    "border with same": (AvgPool2d((3, 3), count_include_pad=True), ONES_3, BORDER),
    # pytorch/pytorch#183528, microsoft/onnxruntime#16203
    "ceil with padding": (
        AvgPool2d((3, 3), (2, 2), ONE, ceil=True, count_include_pad=True),
        FALLING,
        [[6, 8, 11 / 3], [5, 6, 2.5], [7 / 6, 1, 0.25]],
    ),
    "ceil without padding": (
        AvgPool2d((3, 3), (2, 2), ONE, ceil=True),
        FALLING,
        [[13.5, 12, 11], [7.5, 6, 5], [3.5, 2, 1]],
    ),
    "ceil unpadded": (
        AvgPool2d((3, 3), (2, 2), VALID, ceil=True),
        FALLING,
        [[11, 9.5], [5, 3.5]],
    ),
    # tensorflow/tensorflow#10216: padding is minus infinity, not zero
    "max pool of negatives": (MaxPool2d((2, 2), (2, 2)), NEGATIVES, [[5, -1], [0, -3]]),
    # pytorch/pytorch#9711: cells overlap where the sizes do not divide
    "adaptive that does not divide": (AdaptiveAvgPool2d((1, 3)), RAMP, [[0.5, 2.0, 3.5]]),
    "adaptive that divides": (
        AdaptiveAvgPool2d((2, 2)),
        FALLING,
        [[13.5, 11.5], [5.5, 3.5]],
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("case", CASES)
def test_value(case: str, way: Way) -> None:
    op, grid, expected = CASES[case]
    graph = single(op, (1, *grid.shape))
    state = {"y.weight": np.ones((1, 1, 3, 3), np.float32)} if isinstance(op, Conv2d) else {}
    out = way(graph, state, {"x0": grid[None, None].astype(np.float32)})
    np.testing.assert_allclose(out[0, 0], np.asarray(expected), rtol=1e-6)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    ("op", "size", "out"),
    [
        # pytorch/pytorch#116420, onnx/onnx#5711: a window that would start in the padding
        (AvgPool2d((4, 4), (4, 4), ((2, 2), (2, 2)), ceil=True), 9, 3),
        (MaxPool2d((2, 2), (2, 2), ONE, ceil=True), 5, 3),
        (MaxPool2d((1, 1), (2, 2), VALID, ceil=True), 12, 6),
        (MaxPool2d((3, 3), (3, 3), ONE, ceil=True), 2, 1),
        (AvgPool2d((4, 4), (2, 2), VALID, ceil=True), 9, 4),
        (Conv2d(1, (4, 4), bias=False), 8, 8),
        (Conv2d(1, (4, 4), padding=((2, 2), (2, 2)), bias=False), 8, 9),
        (Conv2d(1, (3, 3), padding=VALID, dilation=(2, 2), bias=False), 8, 4),
        (AdaptiveAvgPool2d((7, 7)), 12, 7),
    ],
)
def test_size(op: Op, size: int, out: int, way: Way) -> None:
    graph = single(op, (1, size, size))
    state = {}
    if isinstance(op, Conv2d):
        state["y.weight"] = np.ones((1, 1, *op.kernel_size), np.float32)
    made = way(graph, state, {"x0": np.ones((1, 1, size, size), np.float32)})
    assert made.shape == (1, 1, out, out)
    assert np.isfinite(made).all()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("kernel", "stride", "pad"), [(3, 2, 1), (4, 4, 2), (2, 2, 1), (3, 3, 1)])
def test_mean_of_ones_is_one(kernel: int, stride: int, pad: int, way: Way) -> None:
    pads = ((pad, pad), (pad, pad))
    for size in (5, 6, 9):
        graph = single(AvgPool2d((kernel, kernel), (stride, stride), pads, True), (1, size, size))
        made = way(graph, {}, {"x0": np.ones((1, 1, size, size), np.float32)})
        np.testing.assert_array_equal(made, np.ones_like(made))
