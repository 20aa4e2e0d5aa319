"""Tensors that are returned beside the outputs, kept through passes that replace their nodes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from compiler.graph import Graph, Output
from compiler.passes.outputs import tap_nodes


def hold_taps(graph: Graph, taps: Iterable[str]) -> Graph:
    """Return the graph with what is tapped among its outputs, last, so that every pass keeps it.

    Each tap is an output of its own, even where two are one tensor. `let_go` takes them off again.

    Before:
        return logits = %logits

    After, with the tap `stem.conv`:
        return logits = %logits, stem_conv = %stem.conv

    Raises:
        UsageError: a tap names nothing, or bears the name of an output that is another tensor.
    """
    held = list(graph.outputs)
    for tap, node in tap_nodes(graph, taps).items():
        name = tap.replace(".", "_")
        while (name in graph.nodes and name != node) or name in {o.name for o in held}:
            name += "_"
        held.append(Output(name, node))
    return replace(graph, outputs=tuple(held)) if len(held) > len(graph.outputs) else graph


def let_go(graph: Graph, taps: Iterable[str]) -> Graph:
    """Return a graph that `hold_taps` made, after passes, with its own outputs.

    The names of the taps mean the nodes in which their tensors are now: see `Graph.held`.
    """
    taps = list(dict.fromkeys(taps))
    own = len(graph.outputs) - len(taps)
    held = {tap: o.node for tap, o in zip(taps, graph.outputs[own:], strict=True)}
    return replace(graph, outputs=graph.outputs[:own], held=held) if held else graph
