"""What `for_inference` refuses when it is asked for, not at the first call."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from backends.run.optimized import Optimized, optimize
from backends.torch.module import build_module
from compiler.errors import BackendError, UsageError
from tests.kernels import need_kernels
from tests.passes.random_specs import graph_of


def network(layer: str, size: str = "8, 8") -> Optimized:
    return optimize(
        build_module(
            graph_of(
                f"network: n\ninput: {{image: [4, {size}]}}\nlayers:\n"
                f"  - {{conv: 3x3, filters: 4, name: a}}\n  - {layer}\n"
            )
        )
    )


@pytest.mark.parametrize("target", ["native", "native_lean"])
@pytest.mark.parametrize("size", ["8, 8", "h, w"])
@pytest.mark.parametrize(
    ("layer", "lack"),
    [
        ("{gelu: true, name: b}", "GELU"),
        (
            "{conv: 3x3, filters: 4, groups: 2, name: b}",
            "Conv2d with groups=2, only with groups=1",
        ),
        ("{add: [a, a, a], name: b}", "Add of 3 tensors, only of 2"),
    ],
)
def test_a_layer_without_a_loop(target: str, size: str, layer: str, lack: str) -> None:
    need_kernels(target)
    with pytest.raises(BackendError) as refused:
        network(layer, size).for_inference(target=target)
    assert str(refused.value) == f"`b`: the native engine has no {lack}"


@pytest.mark.parametrize("size", ["8, 8", "h, w"])
def test_what_has_loops_is_taken(size: str) -> None:
    need_kernels("native_lean")
    fast = network("{max_pool: 2x2, stride: 2}", size).for_inference(target="native_lean")
    assert fast(torch.zeros(1, 4, 8, 8)).shape == (1, 4, 4, 4)


def test_numbers_that_the_kernels_lack() -> None:
    need_kernels("native_lean")
    with pytest.raises(BackendError) as refused:
        network("relu").for_inference(dtype=torch.float16, target="native_lean")
    assert str(refused.value) == (
        "the native engine computes float32 or bfloat16, not torch.float16"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"device": "zz"}, "device='zz': write cpu, cuda or cuda:N"),
        ({"device": "cuda:x"}, "device='cuda:x': write cpu, cuda or cuda:N"),
        ({"device": "cuda:99"}, "device='cuda:99': this torch sees no such device"),
        *(
            (
                {"dtype": dtype},
                f"dtype={shown}: write torch.float32, torch.bfloat16, torch.float16 or 'tf32'",
            )
            for dtype, shown in [
                ("zz", "'zz'"),
                ("float32", "'float32'"),
                (torch.int32, "torch.int32"),
                (None, "None"),
            ]
        ),
    ],
)
def test_no_place_and_no_numbers(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        network("relu").for_inference(**given)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("target", "dtype", "message"),
    [
        ("cuda_graph", torch.float32, "the target `cuda_graph` needs an NVIDIA GPU, not cpu"),
        ("tensorrt", torch.float32, "the target `tensorrt` needs an NVIDIA GPU, not cpu"),
        (
            "onnxruntime",
            torch.bfloat16,
            "ONNX Runtime's CPU provider computes float32, not torch.bfloat16",
        ),
        (
            "openvino",
            torch.float64,
            "OpenVINO's CPU plugin computes float32, bfloat16, float16, not torch.float64",
        ),
    ],
)
def test_what_a_target_cannot_do_here(target: str, dtype: torch.dtype, message: str) -> None:
    with pytest.raises(BackendError) as refused:
        network("relu").for_inference(dtype=dtype, target=target)
    assert str(refused.value) == message


def test_a_runtime_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(BackendError) as refused:
        network("relu").for_inference(target="openvino")
    assert str(refused.value) == "the target `openvino` needs openvino, which is not installed"
