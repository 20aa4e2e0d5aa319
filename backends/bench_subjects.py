"""What a benchmark compares: netdraft's targets, and the peers on the same network."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from backends.engine import Optimized
from backends.engine_targets import TARGETS, Request, build_runner
from backends.onnx_model import build_onnx
from backends.torch_module import build_module
from backends.unit_scale import randomize
from compiler.errors import BackendError
from compiler.graph import Graph

PEERS = {
    "inception_v4": "timm:inception_v4",
    "inception_v4_slim": "timm:inception_v4",
    "inception_resnet_v2_slim": "timm:inception_resnet_v2",
    "inception_resnet_v1_facenet": "facenet_pytorch:InceptionResnetV1",
}
"""Spec -> the published implementation of the same network; others: the spec's own module."""

Run = Callable[[], object]


@dataclass(frozen=True)
class Subject:
    """One way to run the network: `netdraft` or a `peer`; `build` makes the timed call."""

    name: str
    side: str
    build: Callable[[], Run]


@dataclass(frozen=True)
class Case:
    """One network, input and dtype."""

    graph: Graph
    optimized: Optimized
    inputs: tuple[Tensor, ...]
    dtype: torch.dtype
    peer: nn.Module
    peer_name: str

    @property
    def request(self) -> Request:
        """The case as the engine's targets take it."""
        own = self.optimized
        plain = own.plain, own.plain_state
        return Request(own.graph, own.state, plain, self.inputs, self.dtype)


def load_peer(graph: Graph, example: tuple[Tensor, ...], seed: int = 0) -> tuple[nn.Module, str]:
    """Return the peer of a network in evaluation mode, with live random weights, and its name."""
    module, name = _peer_module(graph)
    randomize(module, seed, *example)
    return module.eval(), name


def _peer_module(graph: Graph) -> tuple[nn.Module, str]:
    package, _, name = PEERS.get(graph.name, "").partition(":")
    try:
        if package == "timm":
            timm: Any = importlib.import_module("timm")
            return timm.create_model(name), f"timm {timm.__version__}"
        if package:
            return getattr(importlib.import_module(package), name)(pretrained=None), package
    except ImportError:
        pass
    return build_module(graph), "plain module"


def netdraft_subjects(case: Case, targets: tuple[str, ...]) -> Iterator[Subject]:
    """Yield netdraft's targets."""
    for target in targets or tuple(TARGETS):
        yield Subject(target, "netdraft", lambda target=target: _netdraft(case, target))


def _netdraft(case: Case, target: str) -> Run:
    runner, inputs = build_runner(target, case.request), case.inputs
    return lambda: runner(*inputs)


def peer_subjects(case: Case) -> Iterator[Subject]:
    """Yield the peer's module in eager mode and compiled, and the runtimes on the same network."""
    layouts = {"eager": torch.contiguous_format, "channels_last": torch.channels_last}
    for name, layout in layouts.items():
        yield Subject(name, "peer", lambda layout=layout: _eager(case, layout))
    yield Subject("compile", "peer", lambda: _compiled(case))
    if case.inputs[0].device.type == "cpu":
        yield Subject("onnxruntime", "peer", lambda: _onnxruntime(case))
        yield Subject("openvino", "peer", lambda: _openvino(case))


def _eager(case: Case, layout: torch.memory_format) -> Run:
    module, inputs = _moved(case, layout)
    return _without_gradients(module, inputs)


def _compiled(case: Case) -> Run:
    module, inputs = _moved(case, torch.channels_last)
    options: dict[str, Any] = {"freezing": True}
    if inputs[0].device.type == "cuda":
        options |= {"max_autotune": True, "triton.cudagraphs": True}
    return _without_gradients(torch.compile(module, dynamic=False, options=options), inputs)


def _moved(case: Case, layout: torch.memory_format) -> tuple[nn.Module, tuple[Tensor, ...]]:
    device = case.inputs[0].device
    module = copy.deepcopy(case.peer).to(device, case.dtype, memory_format=layout)
    inputs = tuple(x.to(case.dtype).contiguous(memory_format=layout) for x in case.inputs)
    return module.eval(), inputs


def _without_gradients(module: Callable[..., Any], inputs: tuple[Tensor, ...]) -> Run:
    def run() -> object:
        with torch.no_grad():
            return module(*inputs)

    return run


def _onnxruntime(case: Case) -> Run:
    if case.dtype != torch.float32:
        raise BackendError("ONNX Runtime's CPU provider computes float32")
    try:
        ort: Any = importlib.import_module("onnxruntime")
    except ImportError:
        raise BackendError("onnxruntime is not installed") from None
    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = ort.InferenceSession(_plain_onnx(case), options, ["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    feed = {name: x.numpy() for name, x in zip(names, case.inputs, strict=True)}
    return lambda: session.run(None, feed)


def _openvino(case: Case) -> Run:
    try:
        openvino: Any = importlib.import_module("openvino")
    except ImportError:
        raise BackendError("openvino is not installed") from None
    core = openvino.Core()
    model = core.read_model(_plain_onnx(case))
    model.reshape({p: list(x.shape) for p, x in zip(model.inputs, case.inputs, strict=True)})
    precision = {torch.float32: "f32", torch.bfloat16: "bf16"}.get(case.dtype, "f16")
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    infer = core.compile_model(model, "CPU", settings).create_infer_request()
    arrays = [np.ascontiguousarray(x.numpy()) for x in case.inputs]
    return lambda: infer.infer(arrays)


def _plain_onnx(case: Case) -> bytes:
    """Return the network without our passes, so that the runtime's own optimiser does the work."""
    own = case.optimized
    arrays = {name: value.numpy() for name, value in own.plain_state.items()}
    return build_onnx(own.plain, arrays, flat=True).SerializeToString()
