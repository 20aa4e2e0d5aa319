"""Items with any flows between them -> rows, columns and lanes: what a plain chain cannot hold.

The steps are Sugiyama's: rows by longest path, lanes for flows that pass rows, an order in
each row that crosses little, then places. One lane serves all long flows of one item.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from viz.layout.flows import ABOVE, BELOW, Flow
from viz.layout.grid import Extent, Grid, Span, rise
from viz.layout.placed import Point
from viz.layout.row_order import order_rows
from viz.layout.spread import spread
from viz.style.theme import Theme

LANE = 4.0
"""Half the width of a lane."""


@dataclass(slots=True)
class LayeredPlacement:
    """Where the items are, y upwards and x from the spine, and the bends of their flows."""

    left: float
    right: float
    height: float
    places: list[Point]
    ways: dict[Flow, list[Point]]


def layered(
    extents: Sequence[Extent],
    spans: Sequence[tuple[Span, Span]],
    flows: Iterable[Flow],
    theme: Theme,
) -> LayeredPlacement:
    """Return places for items that data flows between in any way, no backward flow among them.

    Args:
        extents: of the items, in execution order.
        spans: between which x lines enter each item from below, and exit at its top.
        flows: pairs of items; `BELOW` and `ABOVE` are what is outside.
        theme: has the distances.
    """
    count = len(extents)
    # A flow inside one item is laid out by that item. Two nodes more represent what is outside.
    edges = [(_node(a, count), _node(b, count)) for a, b in flows if a != b]
    grid = _grid(extents, edges)
    order_rows(grid.rows, grid.pieces)
    xs = spread(grid, count, theme.column_gap)
    return _plan(grid, spans, xs, theme)


def _node(end: int, count: int) -> int:
    return {BELOW: count, ABOVE: count + 1}.get(end, end)


def _grid(extents: Sequence[Extent], edges: list[Flow]) -> Grid:
    count = len(extents)
    ranks = _ranks(count, edges)
    grid = Grid([*extents, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)])
    # The spec's order to begin with: `order_rows` changes it only where crossings go.
    grid.rows = [[] for _ in range(max(ranks.values()) + 1)]
    for node in _by_purpose(count, ranks, edges):
        grid.rows[ranks[node]].append(node)
    targets: dict[int, list[int]] = {}
    for tail, head in edges:
        if ranks[head] == ranks[tail] + 1:
            grid.pieces.append((tail, head))
            grid.stops[tail, head] = []
        else:
            targets.setdefault(tail, []).append(head)
    # Long flows of one tail share a lane, since they carry one tensor.
    for tail, heads in targets.items():
        _lay_lane(grid, ranks, tail, heads)
    return grid


def _ranks(count: int, edges: list[Flow]) -> dict[int, int]:
    """Return the row of each item: above all that it reads; a source right below its reader."""
    below, above = count, count + 1
    reads: dict[int, list[int]] = {}
    readers: dict[int, list[int]] = {}
    for tail, head in edges:
        reads.setdefault(head, []).append(tail)
        readers.setdefault(tail, []).append(head)
    ranks = {below: 0} if below in readers else {}
    base = len(ranks)
    # Longest path, in one pass: items are in execution order, so tails have their rank already.
    for node in range(count):
        ranks[node] = max((ranks[t] + 1 for t in reads.get(node, ())), default=base)
    # A source without inputs would be in the lowest row, with a lane all the way up to its reader.
    for node in reversed(range(count)):
        later = [ranks[h] for h in readers.get(node, ()) if h < count]
        if node not in reads and later:
            ranks[node] = max(ranks[node], min(later) - 1)
    if above in reads:
        ranks[above] = max(ranks.values()) + 1
    return ranks


def _by_purpose(count: int, ranks: dict[int, int], edges: list[Flow]) -> list[int]:
    """Return the nodes in execution order, but dead ends (side outputs) after the others."""
    read = {tail for tail, _ in edges}
    top = max(ranks.values())
    return sorted(ranks, key=lambda n: (n < count and n not in read and ranks[n] < top, n))


def _lay_lane(grid: Grid, ranks: dict[int, int], tail: int, heads: list[int]) -> None:
    """Add one lane from `tail` up to its farthest reader; nearer ones branch off on the way."""
    cells: list[int] = []
    for rank in range(ranks[tail] + 1, max(ranks[h] for h in heads)):
        cell = len(grid.extents)
        grid.extents.append((LANE, LANE, 0.0))
        grid.rows[rank].append(cell)
        grid.pieces.append((cells[-1] if cells else tail, cell))
        cells.append(cell)
    grid.lanes[tail] = cells
    for head in heads:
        # The lane up to the row below this head; the rest of it belongs to farther heads.
        stops = cells[: ranks[head] - ranks[tail] - 1]
        grid.stops[tail, head] = stops
        grid.pieces.append((stops[-1], head))


def _plan(
    grid: Grid, spans: Sequence[tuple[Span, Span]], xs: list[float], theme: Theme
) -> LayeredPlacement:
    count = len(spans)
    bottoms, tops = _heights(grid, spans, xs, theme)
    rank_of = {node: rank for rank, row in enumerate(grid.rows) for node in row}
    # x counts from where data enters, so that the series is in line with what is below it.
    spine = xs[count] if count in rank_of else xs[grid.rows[0][0]]
    places = [(xs[i] - spine, bottoms[rank_of[i]]) for i in range(count)]
    ways: dict[Flow, list[Point]] = {}
    for (tail, head), stops in grid.stops.items():
        points = [(xs[tail] - spine, tops[rank_of[tail]])] if tail < count else []
        for cell in stops:
            x, rank = xs[cell] - spine, rank_of[cell]
            points += [(x, bottoms[rank]), (x, tops[rank])]
        ways[_end(tail, count), _end(head, count)] = points
    left = max(grid.extents[n][0] - xs[n] + spine for n in rank_of)
    right = max(grid.extents[n][1] + xs[n] - spine for n in rank_of)
    return LayeredPlacement(left, right, tops[-1], places, ways)


def _end(node: int, count: int) -> int:
    return {count: BELOW, count + 1: ABOVE}.get(node, node)


def _heights(
    grid: Grid, spans: Sequence[tuple[Span, Span]], xs: list[float], theme: Theme
) -> tuple[list[float], list[float]]:
    """Return the lower and upper edge of each row, with space for slanted flows between them."""
    rank_of = {node: rank for rank, row in enumerate(grid.rows) for node in row}
    reach = [0.0] * len(grid.rows)
    for tail, head in grid.pieces:
        rank = rank_of[head]
        reach[rank] = max(reach[rank], _reach(xs, spans, tail, head))
    bottoms, tops = [], []
    top = 0.0
    for rank, row in enumerate(grid.rows):
        if rank:
            top += rise(reach[rank], theme)
        bottoms.append(top)
        top += max(grid.extents[node][2] for node in row)
        tops.append(top)
    return bottoms, tops


def _reach(xs: list[float], spans: Sequence[tuple[Span, Span]], tail: int, head: int) -> float:
    """Return how far sideways the farthest line between two nodes goes."""
    leaves = spans[tail][1] if tail < len(spans) else (0.0,)
    arrives = spans[head][0] if head < len(spans) else (0.0,)
    return max(abs(xs[tail] + a - xs[head] - b) for a in leaves for b in arrives)
