"""A training step: forward, backward and the optimiser's update."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from backends.bench.subjects import Case, Run, Subject
from backends.run.targets import compile_module


def training_subjects(case: Case, compiled: bool) -> Iterator[Subject]:
    """Yield training steps of netdraft and of the peer; `compiled` adds torch.compile.

    `native` is the module of `for_training()` as it is; the other modes of netdraft leave every
    layer to PyTorch, as the peer does.
    """
    modes = ["eager", "channels_last"] + ["compile"] * compiled
    own = ["native"] if case.inputs[0].device.type == "cpu" else []
    for mode in [*own, *modes]:
        yield Subject(mode, "netdraft", partial(_step, partial(_netdraft, case, mode), case, mode))
    for mode in modes:
        yield Subject(mode, "peer", partial(_step, partial(copy.deepcopy, case.peer), case, mode))


def _netdraft(case: Case, mode: str) -> nn.Module:
    """Return the network after the training-safe passes, with the case's parameters."""
    return case.optimized.for_training(native=mode == "native")


def _step(make: Callable[[], nn.Module], case: Case, mode: str) -> Run:
    layout = torch.contiguous_format if mode == "eager" else torch.channels_last
    device = case.inputs[0].device
    module: Any = make().train()
    module.to(device, memory_format=layout)
    inputs = tuple(x.contiguous(memory_format=layout) for x in case.inputs)
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-4, momentum=0.9)
    forward: Callable[..., Any] = compile_module(module, device) if mode == "compile" else module

    def run() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, case.dtype, enabled=case.dtype != torch.float32):
            loss = _loss(forward(*inputs))
        torch.autograd.backward(loss)
        optimizer.step()

    return run


def _loss(output: Any) -> Tensor:
    """Return the cross-entropy against class 0, of the first output where there are several."""
    logits: Tensor = output[0] if isinstance(output, tuple) else output
    target = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
    return nn.functional.cross_entropy(logits.float(), target)
