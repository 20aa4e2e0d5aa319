"""What can run a network: every target and every way to carry a module about.

Each takes a checked graph and the parameters by name, and returns a function from inputs to the
outputs, in order. A target that cannot run a network raises a `BackendError`.
"""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from backends.onnx.files import check_onnx
from backends.onnx.model import build_onnx
from backends.run.optimized import optimize
from backends.state.parameters import convert_state
from backends.torch.export_program import export_program
from backends.torch.module import build_module
from backends.torch.source import emit_source
from compiler.graph import Graph
from compiler.passes.optimizer import optimize_graph
from compiler.passes.outputs import take_logits
from tests.oracle.ways import fit_state, module_from

State = Mapping[str, Any]
Run = Callable[..., list[Tensor]]
Target = Callable[[Graph, State, tuple[str, ...], Sequence[Tensor]], Run]


def tensors(result: Any) -> list[Tensor]:
    """Return the tensors of a result in order: outputs, then taps."""
    if isinstance(result, Tensor):
        return [result]
    values = result.values() if isinstance(result, dict) else result
    return [t for value in values for t in tensors(value)]


def running(module: nn.Module) -> Run:
    """Return a function that calls a module."""

    def run(*inputs: Tensor) -> list[Tensor]:
        with torch.no_grad():
            return tensors(module(*inputs))

    return run


def live(graph: Graph, state: State, taps: tuple[str, ...] = ()) -> nn.Module:
    """Return the module of a graph with given parameters, in evaluation mode."""
    module = build_module(graph, taps=taps)
    fit_state(module, dict(state))
    return module.eval()


def by_torch(graph: Graph, state: State, taps: tuple[str, ...], inputs: Sequence[Tensor]) -> Run:
    return running(live(graph, state, taps))


def by_copy(graph: Graph, state: State, taps: tuple[str, ...], inputs: Sequence[Tensor]) -> Run:
    return running(copy.deepcopy(live(graph, state, taps)))


def by_pickle(graph: Graph, state: State, taps: tuple[str, ...], inputs: Sequence[Tensor]) -> Run:
    return running(pickle.loads(pickle.dumps(live(graph, state, taps))))


def by_save(graph: Graph, state: State, taps: tuple[str, ...], inputs: Sequence[Tensor]) -> Run:
    file = io.BytesIO()
    torch.save(live(graph, state, taps), file)
    file.seek(0)
    return running(torch.load(file, weights_only=False))


def by_source(graph: Graph, state: State, taps: tuple[str, ...], inputs: Sequence[Tensor]) -> Run:
    module = module_from(emit_source(graph, taps=taps))
    fit_state(module, dict(state))
    return running(module.eval())


def by_autocast(graph: Graph, state: State, taps: tuple[str, ...], inputs: Sequence[Tensor]) -> Run:
    run = running(live(graph, state, taps))

    def cast(*inputs: Tensor) -> list[Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            return [t.float() for t in run(*inputs)]

    return cast


def by_compile(graph: Graph, state: State, taps: tuple[str, ...], inputs: Sequence[Tensor]) -> Run:
    module = live(graph, state, taps)
    compiled: Any = torch.compile(module, backend="eager", fullgraph=True)
    return running(compiled)


def by_data_parallel(
    graph: Graph, state: State, taps: tuple[str, ...], inputs: Sequence[Tensor]
) -> Run:
    """Return a module in DistributedDataParallel; the process group is the caller's."""
    module = live(graph, state, taps)
    if not any(p.requires_grad for p in module.parameters()):
        return running(module)  # DDP itself refuses a module without parameters
    return running(nn.parallel.DistributedDataParallel(module).eval())


def by_onnx(graph: Graph, state: State, taps: tuple[str, ...], inputs: Sequence[Tensor]) -> Run:
    return onnx_run(graph, build_onnx(graph, dict(state), taps=taps))


def by_open_onnx(
    graph: Graph, state: State, taps: tuple[str, ...], inputs: Sequence[Tensor]
) -> Run:
    return onnx_run(graph, build_onnx(graph, dict(state), taps=taps, dynamic_grid=True))


def onnx_run(graph: Graph, model: onnx.ModelProto) -> Run:
    """Return a function that runs a model in ONNX Runtime."""
    check_onnx(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [i.name for i in session.get_inputs()]
    assert names == list(graph.inputs)

    def run(*inputs: Tensor) -> list[Tensor]:
        feed = {name: x.numpy() for name, x in zip(names, inputs, strict=True)}
        return [torch.as_tensor(value) for value in session.run(None, feed)]

    return run


def by_export(graph: Graph, state: State, taps: tuple[str, ...], inputs: Sequence[Tensor]) -> Run:
    return running(export_program(graph, live(graph, state, taps)).module())


def by_open_export(
    graph: Graph, state: State, taps: tuple[str, ...], inputs: Sequence[Tensor]
) -> Run:
    module = live(graph, state, taps)
    return running(export_program(graph, module, dynamic_grid=True).module())


def by_optimized_source(
    graph: Graph, state: State, taps: tuple[str, ...], inputs: Sequence[Tensor]
) -> Run:
    """Return the emitted source of the optimised graph, as `build --optimize` writes it."""
    state = dict(live(graph, state, taps).state_dict())
    optimized = optimize_graph(take_logits(graph, taps), taps=taps)
    module = module_from(emit_source(optimized, taps=taps))
    made = convert_state(optimized, state)
    fit_state(module, {name: value.numpy() for name, value in made.items()})
    return running(module.eval())


def by_training(graph: Graph, state: State, taps: tuple[str, ...], inputs: Sequence[Tensor]) -> Run:
    return running(optimize(live(graph, state, taps)).for_training().eval())


def by_inference(target: str) -> Target:
    """Return a target of `for_inference`."""

    def build(graph: Graph, state: State, taps: tuple[str, ...], inputs: Sequence[Tensor]) -> Run:
        module = optimize(live(graph, state, taps)).for_inference("cpu", target=target)
        module(*inputs)  # builds it
        return running(module)

    return build


TARGETS: Mapping[str, Target] = {
    "torch": by_torch,
    "deepcopy": by_copy,
    "pickle": by_pickle,
    "torch.save": by_save,
    "source": by_source,
    "autocast": by_autocast,
    "torch.compile": by_compile,
    "DDP": by_data_parallel,
    "ONNX": by_onnx,
    "export": by_export,
    "open ONNX": by_open_onnx,
    "open export": by_open_export,
    "optimised": by_optimized_source,
    "for_training": by_training,
    "plain": by_inference("plain"),
    "eager": by_inference("eager"),
    "native": by_inference("native"),
    "native_lean": by_inference("native_lean"),
    "onnxruntime": by_inference("onnxruntime"),
}
