"""A graph beside the paper: every cited figure box by box, and Table 1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from compiler.graph import Graph, Region
from compiler.paper.compare_figure import compare_figure
from compiler.paper.explain import Record
from compiler.paper.figures import paper
from compiler.paper.findings import Comparison, Count, Deviation, Finding

NO_RECORDS: Mapping[str, Record] = {}


def compare(graph: Graph, records: Mapping[str, Record] = NO_RECORDS) -> Comparison:
    """Compare a network and its blocks with the figures and tables that they cite.

    Sizes are the computed ones, not those that the spec states. A block is compared once for
    each way in which it is used.

    Args:
        graph: a network; it may have errors, unknown sizes are then left out.
        records: all errata that the spec's files hold, by id, for the advice in diagnostics.
    """
    return Comparison((*_figures(graph, records), *_tables(graph)))


def _figures(graph: Graph, records: Mapping[str, Record]) -> Iterator[Finding]:
    seen: set[object] = set()
    for region in graph.regions.values():
        number = _cited_figure(graph, region)
        use = _use(graph, region)
        if number is None or use in seen:
            continue
        seen.add(use)
        figure = paper().figures.get(number)
        yield (
            compare_figure(graph, region, figure, records)
            if figure
            else _no_such_figure(graph, region, number)
        )


def _cited_figure(graph: Graph, region: Region) -> int | None:
    if region.kind == "network":
        return graph.info.cite.figure if graph.info.cite else None
    if region.kind != "block" or region.definition is None:
        return None
    cite = graph.definitions[region.definition].info.cite
    return cite.figure if cite else None


def _use(graph: Graph, region: Region) -> tuple[object, ...]:
    """Return what two instances of a block have in common when they look alike."""
    shapes = tuple(graph.nodes[name].shape for name in region.inputs)
    return region.definition, tuple(region.arguments.items()), shapes, region.info.errata


def _no_such_figure(graph: Graph, region: Region, number: int) -> Finding:
    known = paper().figures
    place, name = f"Figure {number}", region.name or graph.name
    span = f"Figures {min(known)} to {max(known)}"
    text = f"is cited by `{name}`; the paper's architecture is in {span}"
    info = graph.definitions[region.definition].info if region.definition else region.info
    return Finding(place, region.name, name, deviations=(Deviation(place, text, info.span),))


def _tables(graph: Graph) -> Iterator[Finding]:
    """Yield Table 1 beside each block that cites it."""
    for region in graph.regions.values():
        cite = region.info.cite
        if region.kind == "block" and cite is not None and cite.table is not None:
            yield _table(graph, region, cite.table)


def _table(graph: Graph, region: Region, number: int) -> Finding:
    place, span = f"Table {number}", region.info.span
    rows = paper().table_1 if number == 1 else {}
    names = sorted((n for n in rows if n.casefold() in graph.title.casefold()), key=len)
    if not names:
        text = f"is cited by `{region.name}`, it has no row for `{graph.title}`"
        return Finding(place, region.name, region.name, deviations=(Deviation(place, text, span),))
    row, given = rows[names[-1]], region.arguments
    wrong = {letter: value for letter, value in row.items() if given.get(letter) != value}
    deviations = tuple(
        Deviation(
            place, f"prints {k} = {v} for {names[-1]}, `{region.name}` has {given.get(k)}", span
        )
        for k, v in wrong.items()
    )
    count = Count(len(row) - len(wrong), len(row))
    return Finding(place, region.name, names[-1], values=count, deviations=deviations)
