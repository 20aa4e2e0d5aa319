"""What can run an optimised graph: eager, compiled, native, and the runtimes that are installed."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from backends.run.engines import engine_targets, load, registered
from backends.run.flat_module import build_flat_module
from backends.state.parameters import State, convert_state
from compiler.errors import BackendError
from compiler.graph import Graph
from compiler.passes.optimizer import DEFAULT_PASSES, PASSES, RUNTIME_PASSES, Pass, optimize_graph

Result = Tensor | tuple[Tensor, ...]
Runner = Callable[..., Result]


@dataclass(frozen=True)
class Arithmetic:
    """Where and in which numbers a network computes: all of a request that a runner keeps."""

    device: torch.device
    dtype: torch.dtype
    tf32: bool


@dataclass(frozen=True)
class Request:
    """A network to run, for one kind of input on one device.

    `plain` is the graph before the passes with its own parameters: the yardstick. `known`
    holds what an earlier tuning chose inside a target.
    """

    graph: Graph
    state: State
    plain: tuple[Graph, State]
    inputs: tuple[Tensor, ...]
    dtype: torch.dtype
    passes: Sequence[Pass | str] = DEFAULT_PASSES
    """What made `graph` from the plain one; runtimes leave out those that do not suit them."""
    tf32: bool = False
    known: Mapping[str, str] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        """Where the inputs are, and the network will be."""
        return self.inputs[0].device

    @property
    def arithmetic(self) -> Arithmetic:
        """What a runner keeps of the request, so that the parameters may go."""
        return Arithmetic(self.device, self.dtype, self.tf32)


def build_runner(target: str, request: Request) -> Runner:
    """Return a function from inputs (N, C, H, W) to the output, or a tuple of outputs.

    Raises:
        BackendError: the target cannot run this, is not installed, or failed.
        KeyError: there is no such target.
    """
    build: Callable[[Request], Runner] = load(f"the target `{target}`", TARGETS[target])
    try:
        return build(request)
    except (RuntimeError, OSError) as error:  # of a compiler, driver, disk or memory
        # Compilers' errors are pages long; the first line names the fault.
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise BackendError(f"the target `{target}` failed: {first}") from error


def check_target(target: str, graph: Graph, device: torch.device, dtype: torch.dtype) -> None:
    """Refuse what a target cannot run whatever the input sizes are.

    Args:
        target: one of `TARGETS`.
        graph: the optimised one.
        device: where it is to run.
        dtype: of its numbers.

    Raises:
        BackendError: another device or dtype, a package that is not installed, or an operation
            that it does not have.
    """
    place = registered().get(f"{target}.check") or CHECKS.get(target)
    if place is not None:
        load(f"the target `{target}`", place)(graph, device, dtype)


_PLACES = {
    "plain": "backends.run.targets:run_plain",
    "eager": "backends.run.targets:run_eager",
    "compile": "backends.run.targets:run_compiled",
    "cuda_graph": "backends.run.cuda:run_cuda_graph",
    **engine_targets(),
    "onnxruntime": "backends.run.runtimes:run_onnxruntime",
    "openvino": "backends.run.runtimes:run_openvino",
    "tensorrt": "backends.run.cuda:run_tensorrt",
}

_ORDER = (
    *("native", "openvino", "onnxruntime", "native_lean"),
    *("cuda_graph", "eager", "plain", "compile", "tensorrt"),
)
"""By wins in the recorded runs of docs/performance, then by places; those that take long to build
come last. Only the first two have won; the others are there for what these cannot run, for a
machine without them, for little memory, and as yardsticks. Other packages' come before all."""

TARGETS = {
    name: _PLACES[name]
    for name in sorted(_PLACES, key=lambda name: _ORDER.index(name) if name in _ORDER else -1)
}
"""Name -> where its runner is made, imported on use: half of them need more than torch. The order
is that in which a first call tries them."""

CHECKS = {
    "cuda_graph": "backends.run.cuda:check_cuda_graph",
    "onnxruntime": "backends.run.runtimes:check_onnxruntime",
    "openvino": "backends.run.runtimes:check_openvino",
    "tensorrt": "backends.run.cuda:check_tensorrt",
}
"""Name -> what refuses a graph, a device or a dtype before a runner is made, where that can be."""

_SECONDS_PER_OPERATION = {
    ("compile", "cpu"): 0.1,
    ("compile", "cuda"): 1.0,
    ("tensorrt", "cuda"): 0.5,
}
"""How long a compiler takes to build a network: roughly, and rather too much than too little."""


def expected_seconds(target: str, request: Request) -> float:
    """Return about how long building a target takes, 0 for those that are quick."""
    each = _SECONDS_PER_OPERATION.get((target, request.device.type), 0.0)
    return each * len(request.graph.nodes)


def run_plain(request: Request) -> Runner:
    """Run the graph as the spec has it, without passes, in PyTorch's default layout."""
    module = build_flat_module(*request.plain).to(request.device, request.dtype)
    return calling(module, request, torch.contiguous_format)


def run_eager(request: Request) -> Runner:
    """Run the optimised graph operation by operation, channels last."""
    return calling(flat_module_of(request), request)


def run_compiled(request: Request) -> Runner:
    """Run the optimised graph through torch.compile: frozen weights; max-autotune on a GPU."""
    compiled = compile_module(flat_module_of(request), request.device)
    on_gpu = request.device.type == "cuda"  # where the next run overwrites what this one returned
    run = calling((lambda *x: cloned(compiled(*x))) if on_gpu else compiled, request)
    with freezing():
        run(*request.inputs)
    return run


def compile_module(module: nn.Module, device: torch.device) -> Callable[..., Any]:
    """Return a module through torch.compile for fixed sizes; its first call compiles it."""
    mode = "max-autotune" if device.type == "cuda" else None
    return torch.compile(module, dynamic=False, mode=mode)


@contextlib.contextmanager
def freezing() -> Iterator[None]:
    """Make what is compiled inside keep its parameters as constants, folded and packed.

    `freezing` among the options of torch.compile has no effect: whether parameters are inputs of
    the graph is decided while it is traced, and by the global setting alone.
    """
    import torch._inductor.config as inductor  # a second, for those who compile

    with inductor.patch(freezing=True):
        yield


def flat_module_of(request: Request) -> fx.GraphModule:
    """Return the optimised network as `build_flat_module` does, on its device, channels last."""
    module = build_flat_module(request.graph, request.state)
    made: Any = module
    made.to(request.device, request.dtype, memory_format=torch.channels_last)
    return module


def without_merging(request: Request) -> Request:
    """Return a request whose graph keeps siblings apart, for targets that copy what they split."""
    plain, plain_state = request.plain
    names = [step if isinstance(step, str) else step.__name__ for step in request.passes]
    kept = [name for name in names if PASSES[name] in RUNTIME_PASSES]
    graph = optimize_graph(plain, kept)
    return replace(request, graph=graph, state=convert_state(graph, plain_state), passes=kept)


def cloned(result: Result) -> Result:
    """Return a result in memory of its own."""
    return tuple(r.clone() for r in result) if isinstance(result, tuple) else result.clone()


def calling(
    module: Callable[..., Any],
    request: Request,
    layout: torch.memory_format = torch.channels_last,
) -> Runner:
    """Return a runner that calls a module with inputs in the request's dtype and in a layout."""
    arithmetic = request.arithmetic

    def run(*inputs: Tensor) -> Result:
        moved = [in_layout(x.to(arithmetic.device, arithmetic.dtype), layout) for x in inputs]
        with torch.no_grad(), gpu_settings(arithmetic):
            return module(*moved)  # type: ignore[no-any-return]

    return run


def in_layout(x: Tensor, layout: torch.memory_format = torch.channels_last) -> Tensor:
    """Return a tensor in a layout, which only those of four dimensions have."""
    return x.contiguous(memory_format=layout) if x.dim() == 4 else x


@contextlib.contextmanager
def gpu_settings(arithmetic: Arithmetic) -> Iterator[None]:
    """Inside, let cuDNN measure its algorithms, and use TF32 if and only if the numbers say so.

    Nothing changes for a CPU.
    """
    if arithmetic.device.type != "cuda":
        yield
        return
    cudnn, matrix = torch.backends.cudnn, torch.backends.cuda.matmul
    # Global switches of the process, so they are put back.
    before = cudnn.benchmark, cudnn.allow_tf32, matrix.allow_tf32
    try:
        cudnn.benchmark, cudnn.allow_tf32, matrix.allow_tf32 = (
            True,
            arithmetic.tf32,
            arithmetic.tf32,
        )
        yield
    finally:
        cudnn.benchmark, cudnn.allow_tf32, matrix.allow_tf32 = before


def need_cpu(device: torch.device, target: str) -> None:
    """Refuse another device.

    Raises:
        BackendError: it is not the CPU.
    """
    if device.type != "cpu":
        raise BackendError(f"the target `{target}` runs on the CPU, not on {device}")


def require(package: str, target: str) -> Any:
    """Import what a target needs.

    Raises:
        BackendError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError:
        text = f"the target `{target}` needs {package}, which is not installed"
        raise BackendError(text) from None
