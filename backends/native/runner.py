"""The native CPU engine: one table of steps, bound to memory, that runs a whole network."""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from backends.native import steps as c
from backends.native.groups import Loop, Product
from backends.native.memory import as_tensor
from backends.native.plan import Choice, NativePlan
from backends.native.tuner import Choices, Tuner
from backends.native.weights import SPLIT, Method, parts_of
from backends.state.parameters import State
from compiler.errors import BackendError
from compiler.graph import Graph


class NativeRunner:
    """Computes an optimised graph for one batch size on this machine's CPU.

    Activations are channels last in one arena, in float32. With `dtype` bfloat16, products may
    round their operands to bfloat16 (never their sums) where that measures faster, and what only
    they and poolings read is kept in bfloat16. With `split` they may take float32 values as two
    parts of bfloat16 each, 16 bits in all, on a processor with matrix tiles.

    Args:
        graph: an optimised graph.
        state: its parameters.
        batch: N of every input.
        dtype: float32 or bfloat16.
        split: whether products in float32 may take their operands in two parts.
        known: node name -> the method that an earlier run chose; the rest is measured.
        growth: how much more memory than its weights a product's packed filters may take.
        weights_in_file: keep packed filters in a file, and in memory only while they are read.

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
        split: bool = False,
        weights_in_file: bool = False,
    ) -> None:
        if not all(node.shape.is_known for node in graph.nodes.values()):
            raise BackendError("the native engine needs input sizes in numbers")
        rounding: Method = torch.bfloat16 if dtype == torch.bfloat16 else torch.float32
        rounding = SPLIT if split and dtype == torch.float32 else rounding
        self.plan = NativePlan(graph, state, batch, torch.get_num_threads(), parts_of(rounding))
        self.dtype = dtype
        self._lock = threading.Lock()
        tuner = Tuner(self.plan, rounding, known or {}, growth)
        chosen = [tuner.choose(loop) for loop in self.plan.layout.loops]
        self.choices: Choices = tuner.texts
        self._steps, self.labels = self._bind(chosen, weights_in_file)
        self.plan.panels.state = {}  # packed by now
        self.inputs = [as_tensor(self.plan.memory.array(name)) for name in graph.inputs]
        self.outputs = [as_tensor(self.plan.memory.array(o.node)) for o in graph.outputs]

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs for inputs (N, C, H, W), always as a tuple."""
        # The arena is part of the plan, so one call at a time; outputs are cloned out of it.
        with self._lock:
            for own, value in zip(self.inputs, inputs, strict=True):
                own.copy_(value)
            self.plan.library.run(self._steps, self.plan.threads)
            return tuple(out.clone().to(self.dtype) for out in self.outputs)

    def profile(self) -> list[tuple[str, float]]:
        """Return (what, seconds) of every step of one run."""
        seconds = self.plan.library.profile(self._steps, self.plan.threads)
        return list(zip(self.labels, seconds, strict=True))

    def _bind(
        self, chosen: Sequence[Choice | None], weights_in_file: bool
    ) -> tuple[ctypes.Array[c.Step], tuple[str, ...]]:
        plan, memory = self.plan, self.plan.memory
        # Tuning reserved scratch for every candidate; the chosen steps need less.
        plan.forget()
        memory.scratch = memory.scratch[:0]
        pairs = list(zip(plan.layout.loops, chosen, strict=True))
        scratch = (plan.scratch_floats(loop, choice) for loop, choice in pairs)
        memory.reserve(max(scratch, default=0))
        memory.round_for([p for p, choice in pairs if choice and parts_of(choice.method)])
        steps, labels = [], []
        for (loop, choice), bound in zip(pairs, plan.bind_all(pairs, weights_in_file), strict=True):
            steps += bound
            labels += [f"{_name(loop)} {choice.text if choice else ''}".strip()] * len(bound)
        return c.table_of(steps), tuple(labels)


def _name(loop: Loop) -> str:
    return loop.node.name if isinstance(loop, Product) else loop.out
