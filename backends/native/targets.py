"""The native kernels as targets: a batch in slices, fast or in little memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from backends.native.compiled_library import load_library
from backends.native.groups import group_loops
from backends.native.runner import NativeRunner
from backends.native.tuner import Choices
from backends.run.targets import Request, Result, Runner, need_cpu
from compiler.errors import BackendError
from compiler.graph import Graph


class SlicedRunner:
    """Runs a batch slice by slice through the buffers of one slice, which stay in the caches."""

    def __init__(self, runner: NativeRunner, size: int, choices: Choices) -> None:
        self.runner = runner
        self.size = size
        self.choices = choices
        """The method that was chosen for every product, for the next process."""

    def __call__(self, *inputs: Tensor) -> Result:
        """Return the output for inputs (N, C, H, W), or a tuple; N is a multiple of the size."""
        slices = zip(*(torch.split(x, self.size) for x in inputs), strict=True)
        made = [self.runner(*images) for images in slices]
        results = tuple(map(_join, zip(*made, strict=True)))
        return results if len(results) > 1 else results[0]


def _join(parts: tuple[Tensor, ...]) -> Tensor:
    return torch.cat(parts) if len(parts) > 1 else parts[0]


def run_native(request: Request) -> Runner:
    """Run the project's own kernels in float32, bfloat16, or, for `tf32`, two parts of bfloat16.

    Raises:
        BackendError: not on this device or in this dtype, no compiler, or no loop for an op.
    """
    return _runner(request, "native", request.known, math.inf)


def run_native_lean(request: Request) -> Runner:
    """As `run_native`, in little memory: image by image, with the weights in a file.

    A layer's weights are in memory while it runs; see `WeightFile`. Winograd's filters, which
    take up to seven times the memory of the weights, are not used.

    Raises:
        BackendError: as `run_native`.
    """
    return _runner(request, "native_lean", {}, 1.0, weights_in_file=True)


def check_native(graph: Graph, device: torch.device, dtype: torch.dtype) -> None:
    """Refuse an optimised graph that the target `native` cannot run, whatever its input sizes.

    Raises:
        BackendError: another device or dtype, or an operation without a loop, which is named.
    """
    _check_arithmetic("native", device, dtype)
    group_loops(graph)


def check_native_lean(graph: Graph, device: torch.device, dtype: torch.dtype) -> None:
    """As `check_native`, for the target `native_lean`."""
    _check_arithmetic("native_lean", device, dtype)
    group_loops(graph)


def _check_arithmetic(target: str, device: torch.device, dtype: torch.dtype) -> None:
    need_cpu(device, target)
    if dtype not in (torch.float32, torch.bfloat16):
        raise BackendError(f"the native engine computes float32 or bfloat16, not {dtype}")


def _runner(
    request: Request,
    target: str,
    known: Mapping[str, str],
    growth: float,
    weights_in_file: bool = False,
) -> Runner:
    _check_arithmetic(target, request.device, request.dtype)
    batch = len(request.inputs[0])
    by_tiles = request.dtype == torch.bfloat16 and load_library().has_tiles
    size = slice_size(batch, torch.get_num_threads(), by_tiles) if target == "native" else 1
    runner = NativeRunner(
        request.graph,
        request.state,
        size,
        request.dtype,
        known,
        growth,
        request.tf32,
        weights_in_file,
    )
    return SlicedRunner(runner, size, runner.choices if target == "native" else {})


def profile_steps(request: Request) -> Callable[[], list[tuple[str, float]]]:
    """Return a function that runs a batch once and returns (what, seconds) of every step.

    Raises:
        BackendError: the native engine cannot run the network here.
    """
    batch, split = len(request.inputs[0]), request.tf32
    runner = NativeRunner(request.graph, request.state, batch, request.dtype, split=split)
    return runner.profile


_TILED_IMAGES = 8


def slice_size(batch: int, threads: int, by_tiles: bool) -> int:
    """Return how many images to compute at a time; it divides the batch.

    Few, for the caches, but work for all threads: one image's small maps keep about four busy.
    Matrix tiles are so fast that reading the weights for each image takes an eighth of the time.
    """
    most = max(1, threads // 4)
    most = max(most, _TILED_IMAGES) if by_tiles else most
    return max(size for size in range(1, min(most, batch) + 1) if batch % size == 0)
