"""Targets for NVIDIA GPUs: CUDA graphs and TensorRT."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from backends.engine.targets import (
    Request,
    Result,
    Runner,
    matrix_precision,
    require,
    run_eager,
)
from compiler.errors import BackendError

_WARM_UP = 3
Inputs = tuple[Tensor, ...]


def run_cuda_graph(request: Request) -> Runner:
    """Record the eager run once and replay it: no launch costs, which rule at batch 1.

    Raises:
        BackendError: the device is not a GPU.
    """
    _need_cuda(request, "cuda_graph")
    eager = run_eager(request)
    static = tuple(x.to(request.dtype).clone() for x in request.inputs)
    stream: Any = torch.cuda.Stream(request.device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(request.device))
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UP):  # libraries choose algorithms and make workspaces here
            eager(*static)
    torch.cuda.current_stream(request.device).wait_stream(stream)
    recorded = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recorded):
        results = eager(*static)

    return _Recording(eager, recorded, static, results)


class _Recording:
    """A recorded run: it keeps the network, whose weights are read where they were recorded."""

    def __init__(self, network: Runner, recorded: Any, static: Inputs, results: Result) -> None:
        self.network = network
        self.recorded = recorded
        self.static = static
        self.results = results

    def __call__(self, *inputs: Tensor) -> Result:
        for own, value in zip(self.static, inputs, strict=True):
            own.copy_(value, non_blocking=True)
        self.recorded.replay()
        made = self.results
        return tuple(r.clone() for r in made) if isinstance(made, tuple) else made.clone()


def run_tensorrt(request: Request) -> Runner:
    """Compile the optimised graph by Torch-TensorRT.

    Raises:
        BackendError: not installed, or the device is not a GPU.
    """
    _need_cuda(request, "tensorrt")
    tensorrt = require("torch_tensorrt", "tensorrt")
    from backends.engine.flat_module import build_flat_module

    module = build_flat_module(request.graph, request.state).to(request.device, request.dtype)
    example = [x.to(request.dtype) for x in request.inputs]
    precisions = {request.dtype, torch.float32}
    compiled = tensorrt.compile(module, inputs=example, enabled_precisions=precisions)
    numbers = request.numbers

    def run(*inputs: Tensor) -> Result:
        with torch.no_grad(), matrix_precision(numbers):
            return compiled(*(x.to(numbers.dtype) for x in inputs))  # type: ignore[no-any-return]

    return run


def _need_cuda(request: Request, target: str) -> None:
    if request.device.type != "cuda":
        raise BackendError(f"the target `{target}` needs an NVIDIA GPU, not {request.device}")
