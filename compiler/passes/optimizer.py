"""Which passes run, in which order, and why; each result is verified, a wrong one has its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from compiler.graph import Graph, VerifyError, verify
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
from compiler.passes.outputs import final_softmax
from compiler.passes.tapping import hold_taps, let_go

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


class PassError(Exception):
    """A pass broke the graph or failed: a bug in the compiler, not in the spec."""


def optimize_graph(
    graph: Graph,
    passes: Sequence[Pass | str] = DEFAULT_PASSES,
    after_each: Callable[[str, Graph], None] | None = None,
    taps: Sequence[str] = (),
) -> Graph:
    """Return the graph after all passes.

    Args:
        graph: a verified graph.
        passes: functions, or names of them.
        after_each: called with a pass's name and what it returned, for printing and timing.
        taps: names of layers or blocks whose tensors are wanted too, as they are now; the names
            mean the same tensors in what is returned.

    Raises:
        UsageError: a tap names nothing.
        PassError: a pass failed, or returned a graph that does not verify.
        KeyError: there is no pass of that name.
    """
    graph, is_kept = hold_taps(graph, taps), final_softmax(graph) is None
    done: list[str] = []
    for step in passes:
        run = PASSES[step] if isinstance(step, str) else step
        graph = _run(run, graph, done)
        done.append(run.__name__)
        if after_each is not None:
            after_each(run.__name__, graph)
    graph = let_go(graph, taps)
    if is_kept and final_softmax(graph):  # a pass took out what came after a softmax inside
        return replace(graph, returns="outputs")
    return graph


def _run(run: Pass, graph: Graph, done: Sequence[str]) -> Graph:
    try:
        result = run(graph)
        if result is not graph:
            verify(result)
    except (VerifyError, KeyError, AssertionError, ValueError) as error:
        history = f" after {', '.join(done)}" if done else ""
        raise PassError(f"pass `{run.__name__}`{history}: {error}") from error
    return result
