"""Run passes over a graph, verify the result of each, and name the pass whose result is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from compiler.graph import Graph, VerifyError, verify
from compiler.passes import DEFAULT_PASSES, PASSES, Pass
from compiler.passes.outputs import final_softmax
from compiler.passes.tapping import hold_taps, let_go


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
