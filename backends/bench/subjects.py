"""What a benchmark compares: netdraft's targets, and the peers on the same network."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from backends.run.optimized import Optimized
from backends.run.targets import TARGETS, Request, build_runner, compile_module, freezing
from backends.state.unit_scale import randomize
from backends.torch.module import build_module
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
    """One network, input and precision."""

    graph: Graph
    optimized: Optimized
    inputs: tuple[Tensor, ...]
    dtype: torch.dtype
    peer: nn.Module
    peer_name: str
    tf32: bool = False
    """Whether products of float32 may round their operands."""

    @property
    def precision(self) -> str:
        """What `--dtype` calls it."""
        return "tf32" if self.tf32 else str(self.dtype).removeprefix("torch.")

    @property
    def request(self) -> Request:
        """The case as the engine's targets take it."""
        own = self.optimized
        plain = own.plain, own.plain_state
        return Request(own.graph, own.state, plain, self.inputs, self.dtype, own.passes, self.tf32)


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
        yield Subject(target, "netdraft", partial(_netdraft, case, target))


def _netdraft(case: Case, target: str) -> Run:
    runner, inputs = build_runner(target, case.request), case.inputs
    return lambda: runner(*inputs)


def peer_subjects(case: Case) -> Iterator[Subject]:
    """Yield the peer's module in eager mode and compiled, and the runtimes on the same network."""
    layouts = {"eager": torch.contiguous_format, "channels_last": torch.channels_last}
    for name, layout in layouts.items():
        yield Subject(name, "peer", partial(_eager, case, layout))
    yield Subject("compile", "peer", partial(_compiled, case))
    for runtime in ("onnxruntime", "openvino", "tensorrt"):
        yield Subject(runtime, "peer", partial(_runtime, case, runtime))


def _runtime(case: Case, target: str) -> Run:
    """Return a runtime on the network without our passes: its own optimiser does the work."""
    request = replace(case.request, passes=())
    runner, inputs = build_runner(target, request), case.inputs
    return lambda: runner(*inputs)


def _eager(case: Case, layout: torch.memory_format) -> Run:
    module, inputs = _moved(case, layout)
    return _without_gradients(module, inputs)


def _compiled(case: Case) -> Run:
    module, inputs = _moved(case, torch.channels_last)
    run = _without_gradients(compile_module(module, inputs[0].device), inputs)
    with freezing():
        run()
    return run


def _moved(case: Case, layout: torch.memory_format) -> tuple[nn.Module, tuple[Tensor, ...]]:
    device = case.inputs[0].device
    module: Any = copy.deepcopy(case.peer)
    module.to(device, case.dtype, memory_format=layout)
    inputs = tuple(x.to(case.dtype).contiguous(memory_format=layout) for x in case.inputs)
    return module.eval(), inputs


def _without_gradients(module: Callable[..., Any], inputs: tuple[Tensor, ...]) -> Run:
    def run() -> object:
        with torch.no_grad():
            return module(*inputs)

    return run
