"""The ways to compute a small graph, side by side: oracle, ONNX, torch module, emitted source."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import nn

from backends.onnx_files import check_onnx
from backends.onnx_model import build_onnx
from backends.torch_module import build_module
from backends.torch_source import emit_source
from compiler.graph import Graph
from tests.oracle.numpy_oracle import evaluate
from tests.oracle.small_graphs import State

Result = npt.NDArray[np.generic]
Way = Callable[[Graph, State, State], Result]


def by_oracle(graph: Graph, state: State, inputs: State) -> Result:
    """Return the last node's tensor from the NumPy oracle."""
    return evaluate(graph, state, inputs)[list(graph.nodes)[-1]]


def by_onnx(graph: Graph, state: State, inputs: State) -> Result:
    """Return what ONNX Runtime makes of the model, after ONNX's own full check."""
    model = build_onnx(graph, state, probabilities=True)
    check_onnx(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, inputs)[0])


def by_torch(graph: Graph, state: State, inputs: State) -> Result:
    """Return what the live module makes in eval mode."""
    return _run(build_module(graph), state, inputs)


def by_source(graph: Graph, state: State, inputs: State) -> Result:
    """Return what the module of the emitted source makes in eval mode."""
    return _run(module_from(emit_source(graph)), state, inputs)


def module_from(source: str) -> nn.Module:
    """Run emitted source and return an instance of its network, the last class in it."""
    space: dict[str, object] = {"__name__": "emitted"}
    exec(compile(source, "emitted.py", "exec"), space)
    classes = [c for c in space.values() if isinstance(c, type) and issubclass(c, nn.Module)]
    module = classes[-1]()
    assert isinstance(module, nn.Module)
    return module


def _run(module: nn.Module, state: State, inputs: State) -> Result:
    module.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()}, strict=False)
    module.eval()
    with torch.no_grad():
        out = module(*(torch.from_numpy(x) for x in inputs.values()))
    return np.asarray(out)


WAYS: Mapping[str, Way] = {
    "oracle": by_oracle,
    "onnx": by_onnx,
    "torch": by_torch,
    "source": by_source,
}
