"""Graph → Graph, one function per file; the tuples list which run, in which order, and why."""

from __future__ import annotations

from collections.abc import Callable

from compiler.graph import Graph
from compiler.passes.drop_training_outputs import drop_training_outputs
from compiler.passes.eliminate_dead_nodes import eliminate_dead_nodes
from compiler.passes.eliminate_dropout import eliminate_dropout
from compiler.passes.eliminate_identity import eliminate_identity
from compiler.passes.exchange_pool_projection import exchange_pool_projection
from compiler.passes.flatten_concats import flatten_concats
from compiler.passes.fold_batch_norm import fold_batch_norm
from compiler.passes.fold_scale import fold_scale
from compiler.passes.hoist_activation import hoist_activation
from compiler.passes.merge_siblings import merge_siblings

Pass = Callable[[Graph], Graph]

DEFAULT_PASSES: tuple[Pass, ...] = (
    drop_training_outputs,  # first: what only they need is dead
    eliminate_dead_nodes,
    eliminate_dropout,
    eliminate_identity,
    fold_batch_norm,  # before fold_scale: a scale may follow a normalisation
    fold_scale,
    exchange_pool_projection,  # before merge_siblings: makes the projection a sibling
    merge_siblings,
    hoist_activation,  # after merge_siblings: undoes its slicing before each activation
    flatten_concats,
)
"""What `--optimize` runs: for inference."""

TRAINING_PASSES: tuple[Pass, ...] = (
    eliminate_dead_nodes,
    eliminate_identity,
    exchange_pool_projection,
    flatten_concats,
)
"""The passes that keep values, gradients and parameters: safe before training."""

RUNTIME_PASSES: tuple[Pass, ...] = tuple(
    run for run in DEFAULT_PASSES if run not in (merge_siblings, hoist_activation)
)
"""For runtimes that copy where a tensor is split, as ONNX Runtime and OpenVINO do: no merging."""

PASSES: dict[str, Pass] = {run.__name__: run for run in (*DEFAULT_PASSES, *TRAINING_PASSES)}
"""Name -> pass."""
