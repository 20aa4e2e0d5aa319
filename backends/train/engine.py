"""Lightning Fabric: devices, processes, precision; DDP, or FSDP2 for what does not fit.

Of the two engines that were looked at, Fabric and accelerate, both are kept up (2.6.6 and 1.15.0 in
autumn 2026). Fabric it is because it does what `torchrun` started on CPUs too, FSDP2 included:
accelerate takes FSDP for GPUs alone, so that here nothing of it could be tried; and it leaves the
loop, the data and the files to us, which an exact resume needs.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import nn

from backends.train.blocks import blocks_of
from compiler.errors import UsageError

PRECISIONS = {"32": "32-true", "tf32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
"""What a user says -> what Fabric calls it."""


def start_engine(device: str, precision: str, *, sharded: bool = False) -> Any:
    """Return an engine that is running; `torchrun` says of how many processes this is one.

    Args:
        device: `cpu`, `cuda` or `cuda:N`.
        precision: of `PRECISIONS`.
        sharded: split parameters, gradients and the optimiser's state over the processes.

    Raises:
        UsageError: there is no engine, or nothing to split over.
    """
    try:
        from lightning_fabric import Fabric
    except ImportError:
        raise UsageError(
            "training takes an engine, Lightning Fabric; pip install 'netdraft[train]'"
        ) from None
    kind, _, index = device.partition(":")
    count = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if sharded and count == 1:
        raise UsageError("--sharded splits a network over processes, and this is one; use torchrun")
    if precision == "tf32":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
    devices: Any = [int(index)] if index else local
    engine = Fabric(
        accelerator=kind,
        devices=devices,
        num_nodes=count // local,
        strategy=_strategy(count, sharded),
        **_precision(precision, kind),
    )
    engine.launch()
    return engine


def _precision(precision: str, kind: str) -> dict[str, Any]:
    """Return how Fabric computes; asked for `fp16` on a CPU by its name, it would take bf16."""
    name: Any = PRECISIONS[precision]
    if (precision, kind) != ("fp16", "cpu"):
        return {"precision": name}
    from lightning_fabric.plugins import MixedPrecision

    return {"plugins": MixedPrecision(name, kind)}


def _strategy(count: int, sharded: bool) -> Any:
    if count == 1:
        return "auto"
    from lightning_fabric.strategies import DDPStrategy, ModelParallelStrategy

    if sharded:
        return ModelParallelStrategy(_shard, data_parallel_size=count, tensor_parallel_size=1)
    return DDPStrategy()


def _shard(module: nn.Module, mesh: Any) -> nn.Module:
    """Split every block over the processes, and then what is left: FSDP2."""
    from torch.distributed.fsdp import fully_shard

    made: Any = module
    made.to(memory_format=torch.contiguous_format)  # FSDP2 splits no channels-last weights
    for block in blocks_of(module):
        fully_shard(block, mesh=mesh["data_parallel"])
    fully_shard(module, mesh=mesh["data_parallel"])
    return module
