"""Input sizes that would mend an error, added to its help."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from compiler.errors import Diagnostic, Report, Span, spelled
from compiler.facts.working_sizes import advice, another_of, fits, least_of, working_sizes
from compiler.graph import Dim, Graph, show_sizes
from compiler.lower import StatedSizes
from compiler.ops.merge import SAME_STRIDE

MATTERS_OF_SIZE = ("empty-output", "shape-mismatch", "wrong-size")
"""Errors that another input size may mend."""
MOST_ALONE = 4
"""Inputs up to which sizes of each alone are tried."""
MOST_SWITCHES = 4
"""Parameters that are true or false of which the other value is tried."""
FIT = "these sizes fit: "


@dataclass(frozen=True, slots=True)
class _Offer:
    """Sizes of inputs at which a draft would fit."""

    words: str
    smallest: str
    """The least of them; empty where some inputs keep their size."""
    inputs: list[list[str]]
    """The least of them and others, as `image=3x75x75`."""
    stated: frozenset[Span]
    """Where the sizes of layers are stated."""


def say_working_sizes(
    graph: Graph,
    stated: StatedSizes,
    report: Report,
    lower_at: Callable[[Sequence[str], Report], object],
) -> None:
    """Say with each error that other input sizes would mend which sizes those are.

    They are solved on the draft, then tried: the network is lowered again at the smallest and at
    one more, and what is wrong there too is no matter of sizes. Sizes at which layers are as large
    as is stated go before others, and other sizes of all inputs before those of one.

    Args:
        graph: the draft that does not fit.
        stated: the sizes that its network states.
        report: its errors; the help of some is replaced.
        lower_at: lowers the network once more with inputs of sizes such as `image=3x75x75`, and
            adds what it finds to a report.
    """
    if not any(d.code in MATTERS_OF_SIZE for d in report.diagnostics):
        return
    several = list(graph.inputs) if 1 < len(graph.inputs) <= MOST_ALONE else []
    for sizes, inputs in ((stated, [None]), ({}, [None]), (stated, several)):
        helps: dict[int, list[str]] = {}
        for offer in filter(None, (_offer(graph, sizes, alone) for alone in inputs)):
            tried = Report()
            for grids in offer.inputs:
                lower_at(grids, tried)
            for i, found in enumerate(report.diagnostics):
                if help := _help(found, tried, offer):
                    helps.setdefault(i, []).append(help)
        for i, texts in helps.items():
            found, (first, *more) = report.diagnostics[i], texts
            more = [text.removeprefix(FIT) for text in more]
            if inputs is several and found.code == "shape-mismatch":
                more.append(found.help)  # which streams are meant to fit is not known
            report.diagnostics[i] = replace(found, help="; or ".join([first, *more]))
        if helps:
            return


def _offer(graph: Graph, stated: StatedSizes, alone: str | None = None) -> _Offer | None:
    """Return the sizes that fit; None where there are none, or they are those at hand."""
    shapes = {name: shape for name, (shape, _) in stated.items()}
    working = working_sizes(graph, shapes, alone)
    least = least_of(working) if working else {}
    shapes = {n: graph.nodes[n].shape for n in graph.inputs}
    if not working or not least or all(fits(working[n], shapes[n]) for n in working):
        return None
    words = advice(working, shapes)
    return _Offer(
        words=words if alone is None else f"`{alone}` with {words}",
        smallest=" and ".join(f"{h}x{w}" for h, w in least.values()) if alone is None else "",
        inputs=[
            [f"{n}={shapes[n].channels}x{h}x{w}" for n, (h, w) in grids.items()]
            for grids in (least, another_of(working))
        ],
        stated=frozenset(
            span
            for name, (shape, span) in stated.items()
            if shape.channels == graph.nodes[name].shape.channels
        ),
    )


def _place(found: Diagnostic) -> tuple[str, Span]:
    """Return what an error is of: a join, whichever operand is blamed, or a layer."""
    return found.code, next(
        (r.span for r in found.remarks if r.text.startswith("the ")), found.span
    )


def _help(found: Diagnostic, tried: Report, offer: _Offer) -> str:
    """Return the help for an error that an offer mends; nothing where it does not."""
    if found.code not in MATTERS_OF_SIZE or found.errata:
        return ""
    sizes = f"{FIT}{offer.words}"
    if found.code == "wrong-size":  # stated sizes hold for the declared input: not tried
        return f"{sizes}; or {found.help}" if found.span in offer.stated else ""
    left = [d for d in tried.errors if _place(d) == _place(found)]
    if left:  # where the help is another one, channels are left to differ and grids are not
        is_of_channels = left[0].help != found.help and SAME_STRIDE not in left[0].help
        return f"{left[0].help}, and of the grids {sizes}" if is_of_channels else ""
    if found.code == "empty-output" and offer.smallest:
        more = f"; {found.help}" if found.help else ""
        return f"the smallest input of this network is {offer.smallest}{more}"
    return sizes


def say_settings(
    graph: Graph,
    report: Report,
    lower_with: Callable[[Mapping[str, str], Report], object],
) -> None:
    """Say with each error of sizes that a switch of the network's parameters mends it.

    What only training needs is often switched so, and needs a larger input than the rest. A switch
    is named where the network, lowered with it set the other way, has errors fewer and no new one.

    Args:
        graph: the draft that does not fit.
        report: its errors; the help of some is replaced.
        lower_with: lowers the network once more with other settings, and adds what it finds to a
            report.
    """
    before = {_place(d) for d in report.errors}
    if not any(d.code in MATTERS_OF_SIZE and not d.errata for d in report.errors):
        return
    switches = [p.name for p in graph.params if isinstance(graph.arguments.get(p.name), bool)]
    for name in switches[:MOST_SWITCHES]:
        value = str(not graph.arguments[name]).lower()
        tried = Report()
        lower_with({name: value}, tried)
        left = {_place(d) for d in tried.errors}
        for i, found in enumerate(report.diagnostics) if left < before else ():
            if found.code in MATTERS_OF_SIZE and not found.errata and _place(found) not in left:
                more = f"this size fits with `{spelled('--set', f'{name}={value}')}`"
                help = f"{found.help}; or {more}" if found.help else more
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
    left = {_place(d) for d in tried.errors}
    kept = " and ".join(f"`{n}` kept its {show_sizes(before[n].grid)}" for n in sizes)
    options = " ".join(spelled("--input", f"{n}={size}") for n, size in sizes.items())
    for i, found in enumerate(report.diagnostics):
        is_left = _place(found) in left
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
