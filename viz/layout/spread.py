"""Rows in order -> x of every node: lanes and lone chains straight, joins over their middle."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from math import inf

import networkx as nx

from viz.layout.grid import Grid

ROUNDS = 24


def spread(grid: Grid, count: int, gap: float) -> list[float]:
    """Return the x of every node of a grid; neighbours in a row keep `gap` apart.

    Nodes that must be on one vertical line form a block: the cells of a lane, and items
    that only feed each other. Blocks start as far left as they can and then move, again and
    again, to the middle of what they are joined to.
    """
    block = _blocks(grid, count)
    apart = _distances(grid, block, gap)
    # Straight lanes may contradict the order of the rows: better bent lanes than overlaps.
    if not nx.is_directed_acyclic_graph(apart):  # blocks that would each be left of the other
        block = list(range(len(grid.extents)))
        apart = _distances(grid, block, gap)
    order = list(nx.topological_sort(apart))
    xs = _packed(order, apart)
    _relax(grid, count, block, apart, order, xs)
    return [xs.get(block[node], 0.0) for node in range(len(grid.extents))]


def _blocks(grid: Grid, count: int) -> list[int]:
    """Return for each node the one that its block is named after."""
    block = list(range(len(grid.extents)))
    block[count + 1] = count
    # The union-find of `_root`: `block[node]` is a parent, and a root is its own parent.
    readers = _lists(grid.stops)
    for tail, lane in grid.lanes.items():
        for cell in lane:
            # The end of a branch goes straight up; what passes others keeps to their side.
            block[cell] = tail if len(readers[tail]) == 1 and tail < count else lane[0]
    main = _main_flows(grid, count)
    out = _lists(main)
    into = _lists((b, a) for a, b in main)
    # A chain of only consumers has no reason to bend, so its nodes get one x.
    for tail, heads in out.items():
        if len(heads) == 1 and into[heads[0]] == [tail]:
            block[heads[0]] = _root(block, tail)
    return [_root(block, node) for node in range(len(block))]


def _main_flows(grid: Grid, count: int) -> list[tuple[int, int]]:
    """Return the flows that shape the picture: between neighbouring rows, or from a branch's end.

    A flow that passes rows from an item that others read too is a skip: it is routed beside them.
    A side output is read by nothing though other items are above it: what leads to it must
    not bend the main line where it branches off.
    """
    rank_of = {node: rank for rank, row in enumerate(grid.rows) for node in row}
    # Nodes from `count` up are no items: the two outer ends, then the cells of lanes.
    last = max((rank for node, rank in rank_of.items() if node < count), default=0)
    heads = _lists(grid.stops)
    useful: set[int] = {count + 1}
    # From the top down, so that an item's consumers are decided before the item.
    for node in sorted((n for n in rank_of if n < count), key=lambda n: -rank_of[n]):
        readers = heads.get(node, [])
        if any(h in useful for h in readers) or (not readers and rank_of[node] == last):
            useful.add(node)
    near = [
        (a, b)
        for a, b in grid.pieces
        if a < count and b < count and (b in useful or a not in useful)
    ]
    far = [(a, heads[a][0]) for a in grid.lanes if a < count and len(heads[a]) == 1]
    return near + [(a, b) for a, b in far if b < count]


def _lists(pairs: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    out: dict[int, list[int]] = {}
    for key, value in pairs:
        out.setdefault(key, []).append(value)
    return out


def _root(block: list[int], node: int) -> int:
    while block[node] != node:
        block[node] = block[block[node]]
        node = block[node]
    return node


def _distances(grid: Grid, block: list[int], gap: float) -> nx.DiGraph[int]:
    """Return blocks with edges to those at their right; `need` is how far apart they must be."""
    out: nx.DiGraph[int] = nx.DiGraph()
    out.add_nodes_from(block[node] for row in grid.rows for node in row)
    # Neighbours are enough: the distance to nodes farther right follows by transitivity.
    for row in grid.rows:
        for left, right in itertools.pairwise(row):
            a, b = block[left], block[right]
            need = grid.extents[left][1] + gap + grid.extents[right][0]
            known = out.edges[a, b]["need"] if out.has_edge(a, b) else 0.0
            out.add_edge(a, b, need=max(known, need))
    return out


def _packed(order: Sequence[int], apart: nx.DiGraph[int]) -> dict[int, float]:
    xs = dict.fromkeys(order, 0.0)
    for node in order:
        for right, edge in apart.succ[node].items():
            xs[right] = max(xs[right], xs[node] + edge["need"])
    return xs


def _joined(grid: Grid, block: list[int], count: int) -> dict[int, list[int]]:
    """Return the blocks whose mean is each block's target: lanes follow items, not they them."""
    main = _main_flows(grid, count)
    pairs = [(block[a], block[b]) for a, b in main] + [(block[b], block[a]) for a, b in main]
    joined = _lists((a, b) for a, b in pairs if a != b)
    # Lanes are pulled by what they join only where no main flow pulls them: items have priority.
    weak = _lists(
        (block[x], block[y])
        for a, b in grid.pieces
        for x, y in ((a, b), (b, a))
        if block[x] != block[y] and block[x] not in joined
    )
    return joined | weak


def _relax(
    grid: Grid,
    count: int,
    block: list[int],
    apart: nx.DiGraph[int],
    order: list[int],
    xs: dict[int, float],
) -> None:
    joined = _joined(grid, block, count)
    # Relaxation, from both sides in turn, so that a block is not always held by the same neighbour.
    for turn in range(ROUNDS):
        for node in order if turn % 2 else reversed(order):
            if node in joined:
                aim = sum(xs[n] for n in joined[node]) / len(joined[node])
                # Clamped by both neighbours, so that all distances hold after every move.
                lefts, rights = apart.pred[node].items(), apart.succ[node].items()
                low = max((xs[n] + edge["need"] for n, edge in lefts), default=-inf)
                high = min((xs[n] - edge["need"] for n, edge in rights), default=inf)
                xs[node] = max(low, min(aim, high))
