"""The ways to compute a small graph, side by side: oracle, ONNX, torch module, emitted source."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import nn

from backends.onnx.files import check_onnx
from backends.onnx.model import build_onnx
from backends.torch.module import build_module
from backends.torch.source import emit_source
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
    model = build_onnx(graph, state)
    check_onnx(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, inputs)[0])


def by_torch(graph: Graph, state: State, inputs: State) -> Result:
    """Return what the live module makes in eval mode."""
    return _run(build_module(graph), graph, state, inputs)


def by_source(graph: Graph, state: State, inputs: State) -> Result:
    """Return what the module of the emitted source makes in eval mode."""
    return _run(module_from(emit_source(graph)), graph, state, inputs)


def module_from(source: str) -> nn.Module:
    """Import emitted source as a user would and return its network, the last class in it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "emitted.py"
        path.write_text(source)
        spec = spec_from_file_location("emitted", path)
        assert spec is not None
        assert spec.loader is not None
        emitted = sys.modules["emitted"] = module_from_spec(spec)
        spec.loader.exec_module(emitted)
    own = [v for v in vars(emitted).values() if getattr(v, "__module__", "") == "emitted"]
    classes = [v for v in own if isinstance(v, type) and issubclass(v, nn.Module)]
    return classes[-1]()


def fit_state(module: nn.Module, state: State) -> None:
    """Load weights into a module, which must have exactly their names (but for counters)."""
    tensors = {name: torch.from_numpy(array) for name, array in state.items()}
    found = module.load_state_dict(tensors, strict=False)
    assert not found.unexpected_keys
    assert not [k for k in found.missing_keys if not k.endswith("num_batches_tracked")]


def _run(module: nn.Module, graph: Graph, state: State, inputs: State) -> Result:
    fit_state(module, state)
    module.eval()
    with torch.no_grad():
        return np.asarray(module(*(torch.from_numpy(x) for x in inputs.values())))


WAYS: Mapping[str, Way] = {
    "oracle": by_oracle,
    "onnx": by_onnx,
    "torch": by_torch,
    "source": by_source,
}
