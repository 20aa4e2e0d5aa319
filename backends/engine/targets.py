"""What can run an optimised graph: eager, compiled, native, and the runtimes that are installed."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from backends.engine.flat_module import build_flat_module
from backends.parameters import State
from compiler.errors import BackendError
from compiler.graph import Graph
from compiler.passes import DEFAULT_PASSES, Pass

Result = Tensor | tuple[Tensor, ...]
Runner = Callable[..., Result]


@dataclass(frozen=True)
class Numbers:
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
    def numbers(self) -> Numbers:
        """What a runner keeps of the request, so that the parameters may go."""
        return Numbers(self.device, self.dtype, self.tf32)


def build_runner(target: str, request: Request) -> Runner:
    """Return a function from inputs (N, C, H, W) to the output, or a tuple of outputs.

    Raises:
        BackendError: the target cannot run this, or is not installed; the text says why.
        KeyError: there is no such target.
    """
    module, _, function = TARGETS[target].partition(":")
    try:
        build: Callable[[Request], Runner] = getattr(importlib.import_module(module), function)
    except ImportError as error:
        text = f"the target `{target}` needs {error.name}, which is not installed"
        raise BackendError(text) from None
    return build(request)


TARGETS = {
    "plain": "backends.engine.targets:run_plain",
    "eager": "backends.engine.targets:run_eager",
    "compile": "backends.engine.targets:run_compiled",
    "compile_short": "backends.engine.targets:run_compiled_short",
    "compile_matrix": "backends.engine.targets:run_compiled_matrix",
    "cuda_graph": "backends.engine.cuda:run_cuda_graph",
    "native": "backends.engine.native:run_native",
    "native_lean": "backends.engine.native:run_native_lean",
    "onnxruntime": "backends.engine.runtimes:run_onnxruntime",
    "openvino": "backends.engine.runtimes:run_openvino",
    "tensorrt": "backends.engine.cuda:run_tensorrt",
}
"""Name -> where its runner is made, imported on use: half of them need more than torch."""


def run_plain(request: Request) -> Runner:
    """Run the graph as the spec has it, without passes, in PyTorch's default layout."""
    module = build_flat_module(*request.plain).to(request.device, request.dtype)
    return _calling(module, request, torch.contiguous_format)


def run_eager(request: Request) -> Runner:
    """Run the optimised graph operation by operation, channels last."""
    return _calling(_module(request), request, torch.channels_last)


def run_compiled(request: Request) -> Runner:
    """Run the optimised graph through torch.compile: frozen weights; max-autotune on a GPU."""
    return _frozen(_module(request), request)


def run_compiled_short(request: Request) -> Runner:
    """As `compile`, with 1x7, 7x1 and large 3x3 convolutions as short products, on a CPU.

    Raises:
        BackendError: another dtype, whose rounding the transforms would amplify, or a GPU.
    """
    if request.dtype != torch.float32 or request.device.type != "cpu":
        raise BackendError("short convolutions need float32 on a CPU")
    return _frozen(_module(request, short=True), request)


def run_compiled_matrix(request: Request) -> Runner:
    """As `compile`, with 1x1 convolutions as matrix products, on a CPU; in float32 short ones too.

    Raises:
        BackendError: a GPU, where torch.compile itself tries this.
    """
    need_cpu(request, "compile_matrix")
    short = request.dtype == torch.float32
    return _frozen(_module(request, short, pointwise=True), request)


def _frozen(module: nn.Module, request: Request) -> Runner:
    run = _calling(compile_module(module, request.device), request, torch.channels_last)
    with freezing():
        run(*request.inputs)
    return run


def compile_module(module: nn.Module, device: torch.device) -> Callable[..., Any]:
    """Return a module through torch.compile for fixed sizes; its first call compiles it."""
    on_gpu: dict[str, Any] = {"max_autotune": True, "triton.cudagraphs": True}
    options = on_gpu if device.type == "cuda" else None
    return torch.compile(module, dynamic=False, options=options)


@contextlib.contextmanager
def freezing() -> Iterator[None]:
    """Make what is compiled inside keep its parameters as constants, folded and packed.

    `freezing` among the options of torch.compile has no effect: whether parameters are inputs of
    the graph is decided while it is traced, and by the global setting alone.
    """
    import torch._inductor.config as inductor  # a second, for those who compile

    with inductor.patch(freezing=True):
        yield


def _module(request: Request, short: bool = False, pointwise: bool = False) -> nn.Module:
    module: Any = build_flat_module(request.graph, request.state, short, pointwise)
    module.to(request.device, request.dtype, memory_format=torch.channels_last)
    assert isinstance(module, nn.Module)
    return module


def _calling(module: Callable[..., Any], request: Request, layout: torch.memory_format) -> Runner:
    numbers = request.numbers

    def run(*inputs: Tensor) -> Result:
        moved = [_in_layout(x.to(numbers.device, numbers.dtype), layout) for x in inputs]
        with torch.no_grad(), matrix_precision(numbers):
            return module(*moved)  # type: ignore[no-any-return]

    return run


def _in_layout(x: Tensor, layout: torch.memory_format) -> Tensor:
    return x.contiguous(memory_format=layout) if x.dim() == 4 else x


@contextlib.contextmanager
def matrix_precision(numbers: Numbers) -> Iterator[None]:
    """Allow TF32 inside if the numbers say so, and forbid it if not; CUDA only."""
    if numbers.device.type != "cuda":
        yield
        return
    flags: tuple[Any, Any] = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [flag.allow_tf32 for flag in flags]
    try:
        for flag in flags:
            flag.allow_tf32 = numbers.tf32
        yield
    finally:
        for flag, value in zip(flags, before, strict=True):
            flag.allow_tf32 = value


def need_cpu(request: Request, target: str) -> None:
    """Refuse a request for another device.

    Raises:
        BackendError: the inputs are not on the CPU.
    """
    if request.device.type != "cpu":
        raise BackendError(f"the target `{target}` runs on the CPU, not on {request.device}")


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
