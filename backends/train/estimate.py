"""What a training step takes, without taking it: memory, arithmetic, bytes between processes.

The step is run on tensors that have sizes and no numbers (torch's FakeTensorMode), so that what
is kept for gradients, how long each tensor lives and what is multiplied is torch's own answer,
not a model of it. What kernels take for themselves while they run is not seen.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from backends.torch.module import build_from_source
from backends.torch.source import emit_source
from backends.train.blocks import forget_activations
from backends.train.heads import Heads
from backends.train.parameters import build_optimizer, prepare_parameters
from compiler.graph import Graph
from compiler.passes.optimizer import TRAINING_PASSES, optimize_graph
from compiler.recipe import RecipeSpec

DTYPES = {"32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""What a user says of precision -> what products are computed in."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one process takes in a step; sizes are bytes."""

    batch: int
    """Pictures of this process."""
    parameters: int
    gradients: int
    optimizer: int
    average: int
    statistics: int
    activations: int
    """What is kept for gradients at the end of the forward pass, each storage once."""
    peak: int | None
    """The most that is allocated at one time, everything included; None: it is not known."""
    flops: int
    """Floating-point operations of products, forward and backward; a MAC is two."""
    sent: int
    """What this process sends to the others in a step."""


class _Allocated(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of storages that are alive, and the most that were."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self.seen: dict[int, Any] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.count(out)
        return out

    def count(self, values: Any) -> None:
        """Take in the storages of tensors that are new."""
        for value in tree_leaves(values):
            if isinstance(value, Tensor):
                self._add(value.untyped_storage())

    def _add(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self.seen:
            return

        def gone(_: object) -> None:
            self.now -= size
            del self.seen[key]

        self.seen[key] = weakref.ref(storage, gone)
        self.now += size
        self.peak = max(self.peak, self.now)


class Saved:
    """The storages that autograd keeps, each once; parameters and statistics are not counted."""

    def __init__(self, module: nn.Module) -> None:
        tensors = [*module.parameters(), *module.buffers()]
        self.own = {t.untyped_storage()._cdata for t in tensors}
        self.kept: dict[int, int] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch what a forward pass keeps."""
        with torch.autograd.graph.saved_tensors_hooks(self._pack, lambda tensor: tensor):
            yield

    def _pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self.own:
            self.kept[storage._cdata] = storage.nbytes()
        return tensor

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(self.kept.values())


def estimate(
    graph: Graph,
    recipe: RecipeSpec,
    heads: Heads,
    *,
    batch: int,
    processes: int = 1,
    precision: str = "32",
    forget: bool = False,
    sharded: bool = False,
) -> Estimate:
    """Return what a step takes of each of several processes.

    Args:
        graph: what `target_graph` returned.
        recipe: with the optimiser.
        heads: what training looks at.
        batch: pictures of one process.
        processes: how many share the work.
        precision: of `DTYPES`.
        forget: blocks compute their activations twice.
        sharded: parameters, gradients and the optimiser's state are split; the peak is then not
            known, since blocks are put together one by one.
    """
    training = optimize_graph(graph, TRAINING_PASSES)
    source = emit_source(training)
    with FakeTensorMode():
        module = build_from_source(training, source, None, None).train()
        _lay_out(module)
        if forget:
            forget_activations(module)
        optimizer = build_optimizer(module, prepare_parameters(module, recipe), recipe)
        (name,) = graph.inputs
        inputs = torch.empty(batch, *graph.nodes[name].shape.numbers)
        inputs = inputs.to(memory_format=torch.channels_last)
        labels = torch.empty(batch, dtype=torch.long)
        step = _step(module, optimizer, heads, DTYPES[precision])
        # Apart from the other count: it keeps what a block that forgets computes again. This step
        # makes the optimiser's state, too.
        with FlopCounterMode(display=False) as flops:
            step(inputs, labels, None)
        counter, saved = _Allocated(), Saved(module)
        state = [v for s in optimizer.state.values() for v in s.values()]
        counter.count([*module.parameters(), *module.buffers(), state, inputs, labels])
        with counter:
            step(inputs, labels, saved)
        whole = _bytes(module.parameters())
        trained = _bytes(p for p in module.parameters() if p.requires_grad)
        statistics = _bytes(module.buffers())
        share = processes if sharded else 1
        averaged = 0 if recipe.average is None else whole // share + statistics
        return Estimate(
            batch,
            whole // share,
            trained // share,
            _bytes(v for v in state if isinstance(v, Tensor)) // share,
            averaged,
            statistics,
            saved.size,
            None if sharded else counter.peak + averaged,
            flops.get_total_flops(),
            _sent(module, trained, processes, sharded=sharded),
        )


def _step(
    module: nn.Module, optimizer: Any, heads: Heads, dtype: torch.dtype
) -> Callable[[Tensor, Tensor, Saved | None], None]:
    def step(inputs: Tensor, labels: Tensor, saved: Saved | None) -> None:
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            if saved is None:
                loss = heads.loss(module(inputs), labels)
            else:
                with saved.watching():
                    loss = heads.loss(module(inputs), labels)
        torch.autograd.backward(loss)
        del loss
        optimizer.step()
        optimizer.zero_grad()

    return step


def _lay_out(module: nn.Module) -> None:
    """Lay kernels out channels last, as training does; `module.to` takes no fake parameters."""
    for layer in module.modules():
        for name, value in layer.named_parameters(recurse=False):
            if value.dim() == 4:
                laid = value.detach().contiguous(memory_format=torch.channels_last)
                layer.register_parameter(name, nn.Parameter(laid))


def _bytes(tensors: Any) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


def _sent(module: nn.Module, trained: int, processes: int, *, sharded: bool) -> int:
    """Return the bytes that a process sends in a step, with algorithms that are best in bytes.

    A sum over all in a ring takes each byte 2 (M - 1) / M times (Patarasuk and Yuan 2009);
    gathering and sharing out take half of it. DDP sums gradients, and the first process tells the
    others its running statistics; FSDP2 gathers parameters forward and backward, and shares out
    gradients.
    """
    once = (processes - 1) / processes
    if sharded:
        return round(once * (2 * _bytes(module.parameters()) + trained))
    return round(2 * once * trained + once * _bytes(module.buffers()))
