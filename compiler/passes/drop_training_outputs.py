"""Forget the outputs that only training uses."""

from __future__ import annotations

from dataclasses import replace

from compiler.graph import Graph


def drop_training_outputs(graph: Graph) -> Graph:
    """Forget the outputs that only training uses: auxiliary heads.

    Precondition: the graph is for inference. Their nodes go with `eliminate_dead_nodes`.
    Numbers: the outputs that stay are bit for bit the same. Not training-safe.

    Before:
        return %logits, %aux_logits (training only)

    After:
        return %logits
    """
    kept = tuple(output for output in graph.outputs if not output.training_only)
    return graph if kept == graph.outputs else replace(graph, outputs=kept)
