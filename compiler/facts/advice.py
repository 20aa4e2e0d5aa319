"""Which input sizes would mend an error, said with the error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from compiler.errors import Report
from compiler.facts.working import advice, fits, smallest_input, working_sizes
from compiler.graph import Dim, Graph, show

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


def say_kept_sizes(
    graph: Graph,
    declared: Graph,
    report: Report,
    lower_at: Callable[[Sequence[str], Report], object],
) -> None:
    """Say with each error that an input kept its size, where growing with another mends it.

    Args:
        graph: the draft that does not fit, with other sizes for some inputs.
        declared: the same with the sizes that the spec declares.
        report: its errors; the help of some is replaced.
        lower_at: as above.
    """
    before = {n: declared.nodes[n].shape for n in graph.inputs}
    after = {n: graph.nodes[n].shape for n in graph.inputs}
    given = [n for n in graph.inputs if after[n].grid != before[n].grid]
    if not given:
        return
    old, new = before[given[0]].grid, after[given[0]].grid
    sizes = {
        n: "x".join(map(str, (before[n].channels, *grid)))
        for n in graph.inputs
        if n not in given and None not in (grid := _grown(before[n].grid, old, new)) and grid
    }
    if not sizes:
        return
    tried = Report()
    lower_at([f"{n}={size}" for n, size in sizes.items()], tried)
    left = {(d.code, d.span) for d in tried.errors}
    kept = " and ".join(f"`{n}` kept its {'x'.join(map(show, before[n].grid))}" for n in sizes)
    options = " ".join(f"--input {n}={size}" for n, size in sizes.items())
    for i, found in enumerate(report.diagnostics):
        is_left = (found.code, found.span) in left
        if found.code in MATTERS_OF_SIZE and not is_left and not found.errata:
            help = f"{kept}; give it the size too, {options}"
            report.diagnostics[i] = replace(found, help=help)


def _grown(grid: tuple[Dim, ...], before: tuple[Dim, ...], after: tuple[Dim, ...]) -> list[Dim]:
    """Return a grid that grows as another does; None for a size that comes out broken."""
    out: list[Dim] = []
    for size, old, new in zip(grid, before, after, strict=False):
        if size == old:
            out.append(new)
        elif isinstance(size, int) and isinstance(old, int) and isinstance(new, int):
            out.append(size * new // old if size * new % old == 0 and size * new >= old else None)
        else:
            out.append(None)
    return out
