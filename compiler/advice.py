"""Which input sizes would mend an error, said with the error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from compiler.errors import Report
from compiler.graph import Graph
from compiler.working import advice, fits, smallest_input, working_sizes

MATTERS_OF_SIZE = ("empty-output", "shape-mismatch")
"""Errors that another input size may mend."""


def say_working_sizes(
    graph: Graph, report: Report, lower_at: Callable[[Sequence[str], Report], object]
) -> None:
    """Say with each error that other input sizes would mend which sizes those are.

    They are solved on the draft, then tried: the network is lowered again at the smallest, and
    what is wrong there too is no matter of sizes.

    Args:
        graph: the draft that does not fit.
        report: its errors; the help of some is replaced.
        lower_at: lowers the network once more with inputs of sizes such as `image=3x75x75`, and
            adds what it finds to a report.
    """
    if not any(d.code in MATTERS_OF_SIZE for d in report.diagnostics):
        return
    working, least = working_sizes(graph), smallest_input(graph)
    if working is None or not least:
        return
    shapes = {n: graph.nodes[n].shape for n in graph.inputs}
    if all(fits(working[n], shapes[n]) for n in working):
        return
    tried = Report()
    lower_at([f"{n}={shapes[n].channels}x{h}x{w}" for n, (h, w) in least.items()], tried)
    left = {(d.code, d.span) for d in tried.errors}
    smallest = " and ".join(f"{h}x{w}" for h, w in least.values())
    for i, found in enumerate(report.diagnostics):
        if found.code not in MATTERS_OF_SIZE or (found.code, found.span) in left or found.errata:
            continue
        help = f"these sizes fit: {advice(working, shapes)}"
        if found.code == "empty-output":
            help = f"the smallest input of this network is {smallest}"
            help += f"; {found.help}" if found.help else ""
        report.diagnostics[i] = replace(found, help=help)
