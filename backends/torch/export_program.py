"""Module -> torch.export program (.pt2) that loads and runs where netdraft is not installed."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from math import gcd
from pathlib import Path
from typing import Any

import torch
import torch._inductor
from torch import Tensor, fx, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as symbolic_sizes

from backends.open_grid import open_grid
from compiler.errors import BackendError
from compiler.facts.working_sizes import shapes_near
from compiler.graph import Graph, Shape, Symbolic

SAMPLE_BATCH = 2
"""Batch size of the traced sample; 1 would be frozen into the program (pytorch/pytorch#133653)."""
CHECK_BATCHES = (1, 3)
"""Batch sizes that a new program is tried with."""
SAMPLE_GRID = (96, 112)
"""Height and width of the traced sample where they are left open, or the next that fit."""
CHECK_GRIDS = ((65, 81), (130, 99))
"""Heights and widths that an open program is tried with, or the next that fit."""
TOLERANCE = 1e-4
"""Largest difference from the module that passes, relative to the largest output."""


def export_program(
    graph: Graph, module: nn.Module, *, dynamic_grid: bool = False
) -> ExportedProgram:
    """Return a module's eval mode as an exported program with an open batch size.

    Sizes that are open in the graph are open in the program too, within what it fits at. The
    module's mode, parameters and statistics are left as they were. The program is run with
    sizes that it was not traced with and compared with the module before it is returned.

    Args:
        graph: what the module was built from; it has the input sizes.
        module: takes one tensor (N, C, H, W) per input of the graph.
        dynamic_grid: make height and width symbolic too.

    Raises:
        BackendError: a layer needs a fixed size, one has a name that programs use, torch.export
            refuses the module, or the program departs from it.
    """
    _check_names(module)
    if dynamic_grid:
        graph = open_grid(graph)
    sample, *checks = shapes_near(graph, SAMPLE_GRID, *CHECK_GRIDS)
    with inference(module):
        program = _trace(_Plain(module), graph, list(sample.values()))
        for batch, shapes in zip(CHECK_BATCHES, checks, strict=True):
            inputs = sample_inputs(list(shapes.values()), batch, device_of(module))
            _compare(module, program, inputs)
    for node in program.graph.nodes:
        # Paths and line numbers of this machine: not the same bytes elsewhere, nobody's business.
        node.meta.pop("stack_trace", None)
    return program


def save_program(program: ExportedProgram, path: Path) -> None:
    """Write a program; the bytes depend on the program alone, not on the file's name."""
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    path.write_bytes(buffer.getvalue())


@contextmanager
def inference(module: nn.Module) -> Iterator[None]:
    """Put a module into eval mode without gradients, and each of its parts back afterwards."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def sample_inputs(shapes: Sequence[Shape], batch: int, device: torch.device) -> tuple[Tensor, ...]:
    """Return one random batch (N, C, H, W) per input, the same numbers every time."""
    generator = torch.Generator().manual_seed(batch)
    return tuple(
        torch.randn((batch, *shape.numbers), generator=generator).to(device) for shape in shapes
    )


def device_of(module: nn.Module) -> torch.device:
    """Return the device of a module's first parameter, the CPU if it has none."""
    return next((p.device for p in module.parameters()), torch.device("cpu"))


class _Plain(nn.Module):
    """A module whose NamedTuples are tuples: a file cannot name a class that its reader lacks.

    It shares the parts of the module, so that parameters keep their names.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._modules, self._parameters = module._modules, module._parameters
        self._buffers = module._buffers
        self.training = module.training

        @wraps(module.forward)  # the names of the arguments are those of the program's inputs
        def forward(*inputs: Tensor) -> Any:
            return _plain(module.forward(*inputs))

        object.__setattr__(self, "forward", forward)


def _plain(result: Any) -> Any:
    if not isinstance(result, tuple):
        return result
    return tuple(_plain(part) for part in result)


def _check_names(module: nn.Module) -> None:
    """Refuse a layer named as an attribute of a program, which is an fx.GraphModule."""
    reserved = dir(fx.GraphModule(nn.Module(), fx.Graph()))
    for name in dict.fromkeys(key.partition(".")[0] for key in module.state_dict()):
        if name in reserved:
            raise BackendError(
                f"torch.export cannot hold a layer called `{name}`: its programs have an "
                "attribute of that name; give the layer another one"
            )


def _trace(module: nn.Module, graph: Graph, shapes: Sequence[Shape]) -> ExportedProgram:
    dynamic = tuple(_dynamic(graph.nodes[name].shape) for name in graph.inputs)
    inputs = sample_inputs(shapes, SAMPLE_BATCH, device_of(module))
    try:
        # Oblivious: a map that is 1x1 at some sizes is no case of its own, and not refused.
        with (
            symbolic_sizes.patch(backed_size_oblivious=True),  # type: ignore[attr-defined]
            _errors_alone("torch.fx.experimental.symbolic_shapes"),
        ):
            return torch.export.export(module, inputs, dynamic_shapes=dynamic)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise BackendError(f"torch.export refuses the module: {reason}") from error


@contextmanager
def _errors_alone(name: str) -> Iterator[None]:
    """Keep a logger from warning: torch prints a traceback where it cannot solve for a size.

    It is no fault: `_compare` verifies the program.
    """
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _dynamic(shape: Shape) -> dict[int, Any]:
    """Return what may vary of a tensor (N, C, H, W): N, and the sizes that are left open."""
    sizes = enumerate(shape, start=1)
    opened = {axis: _open_dim(size) for axis, size in sizes if isinstance(size, Symbolic)}
    return {0: Dim("batch", min=1), **opened}


def _open_dim(size: Symbolic) -> Any:
    """Return a size that is left open, as torch.export takes it.

    DYNAMIC refuses where AUTO would silently freeze a size, and finds from where on a size fits;
    multiples are declared, since it does not find every one.
    """
    factor = gcd(*size.numbers)
    return (
        Dim.DYNAMIC
        if factor == 1
        else factor * Dim(f"{size.letters[0]}_{factor}".replace(".", "_"))
    )


def _compare(module: nn.Module, program: ExportedProgram, inputs: tuple[Tensor, ...]) -> None:
    wanted, got = (_tensors(run(*inputs)) for run in (module, program.module()))
    for want, have in zip(wanted, got, strict=True):
        if want.shape != have.shape:
            raise BackendError(
                f"the exported program makes {tuple(have.shape)} where the module makes "
                f"{tuple(want.shape)}: a fault of torch.export, not of the spec"
            )
        difference = float((want - have).abs().max() / want.abs().max().clamp_min(1e-12))
        if not difference <= TOLERANCE:
            raise BackendError(
                f"the exported program differs from the module by {difference:.1e} of the "
                f"largest output at batch {len(want)}: a fault of torch.export, not of the spec"
            )


def _tensors(outputs: Any) -> list[Tensor]:
    """Return the tensors of an output: one, or those of sequences and mappings in order."""
    if isinstance(outputs, Tensor):
        return [outputs]
    parts = outputs.values() if isinstance(outputs, dict) else outputs
    return [tensor for part in parts for tensor in _tensors(part)]
