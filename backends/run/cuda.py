"""Targets for NVIDIA GPUs: CUDA graphs and TensorRT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx

from backends.run.flat_module import build_flat_module
from backends.run.fused import agree, choose_ways, fuse
from backends.run.streams import OnStreams
from backends.run.targets import (
    Request,
    Result,
    Runner,
    calling,
    cloned,
    flat_module_of,
    gpu_settings,
    in_layout,
    require,
    without_merging,
)
from compiler.errors import BackendError
from compiler.graph import Graph

_WARM_UP = 3
_REPEATS = 20
"""Runs in one recording that is timed: a single one would measure the launch of the graph."""
_ROUNDS = 5
_SIBLINGS = "siblings"
"""The name of the choice whether they are merged."""
_BRANCHES = "branches"
"""The name of the choice whether they run side by side, or in turn."""


def run_cuda_graph(request: Request) -> Runner:
    """Record a run once and replay it: no launch costs, which rule at batch 1.

    Every convolution with what follows it goes in the way that measures fastest, see
    `backends.run.fused`. The network is recorded with merged siblings and without, as their slices
    are copied where cuDNN reads them, each kernel after kernel and with branches on streams of
    their own, and the quickest recording is kept.

    Raises:
        BackendError: the device is not a GPU.
    """
    check_cuda_graph(request.graph, request.device, request.dtype)
    with torch.cuda.device(request.device):
        known = request.known.get(_SIBLINGS)
        requests = {"merged": lambda: request, "apart": lambda: without_merging(request)}
        names = [known] if known in requests else list(requests)
        recordings = {name: _Recording(requests[name]()) for name in names}
        name = min(names, key=lambda name: recordings[name].milliseconds)
        best = recordings[name]
        best.choices[_SIBLINGS] = name
        return best


class _Recording:
    """A recorded run: it keeps the network, whose weights are read where they were recorded."""

    def __init__(self, request: Request) -> None:
        self.static = tuple(in_layout(x.to(request.dtype)).clone() for x in request.inputs)
        network = flat_module_of(request)
        fuse(network)
        with torch.no_grad(), gpu_settings(request.arithmetic):
            self.choices = choose_ways(network, self.static, measure, request.known)
        self.network = calling(network, request)
        self.recorded, self.results = _record(lambda: self.network(*self.static))
        self.milliseconds = _replay_milliseconds(self.recorded)
        self._try_branches(network, request)

    def _try_branches(self, network: fx.GraphModule, request: Request) -> None:
        """Record the branches side by side too, and keep that where it is quicker."""
        on_streams = OnStreams(network)
        if on_streams.count == 1:
            return
        self.choices[_BRANCHES] = "in turn"
        known = request.known.get(_BRANCHES)
        if known == "in turn":
            return
        run = calling(on_streams, request)
        try:
            recorded, results = _record(lambda: run(*self.static))
            milliseconds = _replay_milliseconds(recorded)
            self.recorded.replay()
        except RuntimeError:  # more memory, for one: what several streams read is freed late
            return
        same = all(agree(*pair) for pair in zip(_each(results), _each(self.results), strict=True))
        if same and (known == "side by side" or milliseconds < self.milliseconds):
            self.choices[_BRANCHES] = "side by side"
            self.recorded, self.results, self.milliseconds = recorded, results, milliseconds

    def __call__(self, *inputs: Tensor) -> Result:
        for own, value in zip(self.static, inputs, strict=True):
            # A graph reads fixed addresses: inputs are copied in, results out before the next run.
            own.copy_(value, non_blocking=True)
        self.recorded.replay()
        return cloned(self.results)


def _each(result: Result) -> tuple[Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)


def _record(run: Callable[[], Any]) -> tuple[Any, Any]:
    """Return a CUDA graph of a run on the current device, and what the run returned."""
    # PyTorch asks for a side stream: the default one cannot be captured.
    stream: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UP):  # libraries choose algorithms and make workspaces here
            run()
    torch.cuda.current_stream().wait_stream(stream)
    recorded = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recorded):
        result = run()
    return recorded, result


def measure(run: Callable[[], object]) -> float:
    """Return the milliseconds of a computation on the current GPU, without launch costs."""

    def repeat() -> None:
        for _ in range(_REPEATS):
            run()

    recorded, _ = _record(repeat)
    return _replay_milliseconds(recorded) / _REPEATS


def _replay_milliseconds(recorded: Any) -> float:
    recorded.replay()
    times: list[float] = []
    event: Any = torch.cuda.Event
    for _ in range(_ROUNDS):
        start, end = event(enable_timing=True), event(enable_timing=True)
        start.record()
        recorded.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return min(times)


def run_tensorrt(request: Request) -> Runner:
    """Compile the optimised graph by Torch-TensorRT.

    Raises:
        BackendError: not installed, or the device is not a GPU.
    """
    check_tensorrt(request.graph, request.device, request.dtype)
    tensorrt = require("torch_tensorrt", "tensorrt")
    module = build_flat_module(request.graph, request.state).to(request.device, request.dtype)
    example = [x.to(request.dtype) for x in request.inputs]
    precisions = {request.dtype, torch.float32}
    compiled = tensorrt.compile(module, inputs=example, enabled_precisions=precisions)
    arithmetic = request.arithmetic

    def run(*inputs: Tensor) -> Result:
        with torch.no_grad(), gpu_settings(arithmetic):
            return compiled(*(x.to(arithmetic.dtype) for x in inputs))  # type: ignore[no-any-return]

    return run


def check_cuda_graph(graph: Graph, device: torch.device, dtype: torch.dtype) -> None:
    """Refuse another device than a GPU."""
    _need_cuda(device, "cuda_graph")


def check_tensorrt(graph: Graph, device: torch.device, dtype: torch.dtype) -> None:
    """Refuse another device than a GPU, and one without Torch-TensorRT."""
    _need_cuda(device, "tensorrt")
    require("torch_tensorrt", "tensorrt")


def _need_cuda(device: torch.device, target: str) -> None:
    if device.type != "cuda":
        raise BackendError(f"the target `{target}` needs an NVIDIA GPU, not {device}")
