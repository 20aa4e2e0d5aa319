"""The native CPU engine: measures how to compute each convolution, then runs one table of steps."""

from __future__ import annotations

import ctypes
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor

from backends.engine.targets import Request, Result, Runner, need_cpu
from backends.native import library as c
from backends.native.groups import Loop, Product
from backends.native.plan import Choice, NativePlan, candidates, tensor_of
from backends.native.weights import split_panels
from backends.parameters import State
from compiler.errors import BackendError
from compiler.graph import Graph

Choices = dict[str, str]
"""Node name -> the text of a choice."""

_ROUNDS = 3
_SWEEP_FLOATS = 16 << 20
"""What is written between two measured runs: more than a last-level cache holds for us."""
_LEAST_PIXELS = 18
"""Pixels or tiles of one task: two or three blocks, for the weights are read once per task."""
_CACHE_FLOATS = 100_000
"""Input pixels of one task: what stays in a core's second-level cache beside the weights."""


class NativeRunner:
    """Computes an optimised graph for one batch size on this machine's CPU.

    Activations are float32 and channels last in one arena; with `dtype` bfloat16, products may
    round their operands to bfloat16 (never their sums) where that measures faster.

    Args:
        graph: an optimised graph.
        state: its parameters.
        batch: N of every input.
        dtype: float32 or bfloat16.
        known: node name -> the method that an earlier run chose; the rest is measured.
        growth: how much more memory than its weights a product's packed filters may take.

    Raises:
        BackendError: no compiler, an operation without a loop, or a size that is not a number.
    """

    def __init__(
        self,
        graph: Graph,
        state: State,
        batch: int,
        dtype: torch.dtype = torch.float32,
        known: Mapping[str, str] | None = None,
        growth: float = math.inf,
    ) -> None:
        if not all(node.shape.is_known for node in graph.nodes.values()):
            raise BackendError("the native engine needs input sizes in numbers")
        self.plan = NativePlan(graph, state, batch, torch.get_num_threads())
        self.dtype = dtype
        self._lock = threading.Lock()
        tuner = _Tuner(self.plan, dtype, known or {}, growth)
        chosen = [tuner.choose(loop) for loop in self.plan.layout.loops]
        self.choices: Choices = tuner.texts
        self._steps, self.labels = self._bind(chosen)
        self.plan.state = {}  # packed by now
        self.inputs = [tensor_of(self.plan.array(name)) for name in graph.inputs]
        self.outputs = [tensor_of(self.plan.array(o.node)) for o in graph.outputs]

    def __call__(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the output for inputs (N, C, H, W), or a tuple of several outputs."""
        with self._lock:
            for own, value in zip(self.inputs, inputs, strict=True):
                own.copy_(value)
            self.plan.library.run(self._steps, self.plan.threads)
            results = tuple(out.clone().to(self.dtype) for out in self.outputs)
        return results if len(results) > 1 else results[0]

    @property
    def memory_bytes(self) -> int:
        """Activation and scratch memory; weights are not counted."""
        plan = self.plan
        return int(plan.arena.nbytes + plan.rounded_arena.nbytes + plan.scratch.nbytes)

    def profile(self) -> list[tuple[str, float]]:
        """Return (what, seconds) of every step of one run."""
        seconds = self.plan.library.profile(self._steps, self.plan.threads)
        return list(zip(self.labels, seconds, strict=True))

    def _bind(
        self, chosen: Sequence[Choice | None]
    ) -> tuple[ctypes.Array[c.Step], tuple[str, ...]]:
        plan = self.plan
        plan.forget()
        plan.scratch = plan.scratch[:0]
        pairs = list(zip(plan.layout.loops, chosen, strict=True))
        plan.reserve(max(plan.scratch_floats(loop, choice) for loop, choice in pairs))
        plan.round_for([p for p, choice in pairs if choice and choice.method == torch.bfloat16])
        steps, labels = [], []
        for loop, choice in pairs:
            bound = plan.steps(loop, choice)
            steps += bound
            labels += [f"{_name(loop)} {choice.text if choice else ''}".strip()] * len(bound)
        return _table(steps), tuple(labels)


def _name(loop: Loop) -> str:
    return loop.node.name if isinstance(loop, Product) else loop.out


def _table(steps: Sequence[c.Step]) -> ctypes.Array[c.Step]:
    return (c.Step * len(steps))(*steps)


class _Tuner:
    """Chooses for every product what measures fastest; equal products are measured once."""

    def __init__(
        self, plan: NativePlan, dtype: torch.dtype, known: Mapping[str, str], growth: float
    ) -> None:
        self.plan = plan
        self.growth = growth
        self.dtype = dtype
        self.known = known
        self.texts: Choices = {}
        self.measured: dict[object, Choice] = {}
        self.sweep = np.zeros(_SWEEP_FLOATS, dtype=np.float32)
        plan.arena[:] = 0.25  # not zero and not denormal: either would mislead the clock

    def choose(self, loop: Loop) -> Choice | None:
        """Return the choice for a product, None for other loops."""
        if not isinstance(loop, Product):
            return None
        choices = list(self.possible(loop))
        text = self.known.get(loop.node.name)
        found = next((choice for choice in choices if choice.text == text), None)
        choice = found or self.measure(loop, choices)
        self.texts[loop.node.name] = choice.text
        return choice

    def possible(self, loop: Product) -> Iterator[Choice]:
        """Yield the ways to compute a product."""
        plan, threads = self.plan, self.plan.threads
        panels = self.panel_count(loop)
        pixels = prod(loop.node.shape.numbers[1:])
        methods = [torch.float32]
        if self.dtype == torch.bfloat16 and plan.library.has_bfloat16:
            methods.append(torch.bfloat16)
        channels = plan.graph.nodes[loop.source].shape.numbers[0]
        for method in methods:
            room = max(48, _CACHE_FLOATS // channels)
            yield Choice(method, task_size(pixels, panels * plan.batch, threads, room))
        for variant in candidates(plan.graph, loop.node):
            if prod(variant.points) / prod(variant.kernel) > self.growth:
                continue
            yield Choice(variant, task_size(plan.tiles(loop, variant), panels, threads))

    def panel_count(self, loop: Product) -> int:
        """Return the panels of output channels that a product is split into."""
        library = self.plan.library
        return len(split_panels(loop.segments, library.width, library.max_vectors))

    def measure(self, loop: Product, choices: Sequence[Choice]) -> Choice:
        """Return the fastest choice."""
        source = self.plan.graph.nodes[loop.source].shape
        parts = tuple((s.stop - s.start, s.relu, s.add is None) for s in loop.segments)
        key = (loop.node.op, source, parts)
        if key not in self.measured:
            self.plan.reserve(max(self.plan.scratch_floats(loop, choice) for choice in choices))
            runs = [self.runner(loop, choice) for choice in choices]
            seconds = [
                min(times)
                for times in zip(*(self.round(runs) for _ in range(_ROUNDS)), strict=True)
            ]
            self.measured[key] = choices[seconds.index(min(seconds))]
            self.plan.forget()
        return self.measured[key]

    def round(self, runs: Sequence[Callable[[], float]]) -> list[float]:
        """Return the seconds of every run, each with weights that are in no cache.

        So it is in a network, where all other weights were read since; and Winograd's filters,
        which take several times the memory of the weights, are not flattered.
        """
        seconds = []
        for run in runs:
            np.add(self.sweep, 1, out=self.sweep)
            seconds.append(run())
        return seconds

    def runner(self, loop: Product, choice: Choice) -> Callable[[], float]:
        """Return a function that computes a product and says how much time that took.

        It is the processor time of one thread: that hardly depends on what else runs here.
        """
        table = _table(self.plan.steps(loop, choice))

        def run() -> float:
            start = time.thread_time()
            self.plan.library.run(table, 1)
            return time.thread_time() - start

        run()
        return run


def task_size(count: int, shares: int, threads: int, most: int = 1 << 30) -> int:
    """Return into how large parts to cut `count` pixels or tiles, each times `shares`.

    Some parts for each thread, so that none waits long for a slower one; but no smaller than
    pays, and as many for one thread as for another.
    """
    least = max(-(-threads // shares), -(-count // most))
    parts = max(least, min(-(-4 * threads // shares), count // _LEAST_PIXELS))
    parts = min(range(parts, parts + threads), key=lambda n: (_rounds(n * shares, threads), n))
    return -(-count // parts)


def _rounds(tasks: int, threads: int) -> float:
    """Return the time of equal tasks on so many threads, in that of a perfect share."""
    return -(-tasks // threads) * threads / tasks


class SlicedRunner:
    """Runs a batch slice by slice through the buffers of one slice, which stay in the caches."""

    def __init__(self, runner: NativeRunner, size: int) -> None:
        self.runner = runner
        self.size = size

    @property
    def choices(self) -> Choices:
        """The method that was chosen for every product."""
        return self.runner.choices

    def __call__(self, *inputs: Tensor) -> Result:
        """Return the output for inputs (N, C, H, W), or a tuple; N is a multiple of the size."""
        slices = zip(*(torch.split(x, self.size) for x in inputs), strict=True)
        made = [self.runner(*images) for images in slices]
        if isinstance(made[0], tuple):
            return tuple(torch.cat(parts) for parts in zip(*made, strict=True))
        return torch.cat([part for part in made if isinstance(part, Tensor)])


def run_native(request: Request) -> Runner:
    """Run the project's own kernels: float32, or bfloat16 products on float32 activations.

    Raises:
        BackendError: not on this device or in this dtype, no compiler, or no loop for an op.
    """
    return _runner(request, "native", request.known, math.inf)


def run_native_lean(request: Request) -> Runner:
    """As `run_native`, in little memory: image by image, and weights packed once.

    Winograd's filters, which take up to seven times the memory of the weights, are not used.

    Raises:
        BackendError: as `run_native`.
    """
    return _runner(request, "native_lean", {}, 1.0)


def _runner(request: Request, target: str, known: Mapping[str, str], growth: float) -> Runner:
    need_cpu(request, target)
    if request.dtype not in (torch.float32, torch.bfloat16):
        raise BackendError(f"the native engine computes float32 or bfloat16, not {request.dtype}")
    batch = len(request.inputs[0])
    size = 1 if target == "native_lean" else slice_size(batch, torch.get_num_threads())
    runner = NativeRunner(request.graph, request.state, size, request.dtype, known, growth)
    return runner if size == batch else SlicedRunner(runner, size)


def slice_size(batch: int, threads: int) -> int:
    """Return how many images to compute at a time: few, for the caches, but work for all threads.

    One image's small maps keep about four threads busy; the size divides the batch.
    """
    most = max(1, threads // 4)
    return max(size for size in range(1, min(most, batch) + 1) if batch % size == 0)
