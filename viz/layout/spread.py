"""Rows in order -> x of every node: lanes and lone chains straight, joins over their middle."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from math import inf

from viz.layout.grid import Grid

ROUNDS = 24


def spread(grid: Grid, count: int, gap: float) -> list[float]:
    """Return the x of every node of a grid; neighbours in a row keep `gap` apart.

    Nodes that must stand in one vertical line form a block: the cells of a lane, and items
    that only feed each other. Blocks start as far left as they can and then move, again and
    again, to the middle of what they are joined to.
    """
    block = _blocks(grid, count)
    apart = _distances(grid, block, gap)
    order = _topological(apart, len(grid.extents))
    if order is None:
        block = list(range(len(grid.extents)))
        apart = _distances(grid, block, gap)
        order = _topological(apart, len(grid.extents)) or []
    xs = _packed(order, apart)
    _relax(grid, count, block, apart, order, xs)
    return [xs.get(block[node], 0.0) for node in range(len(grid.extents))]


def _blocks(grid: Grid, count: int) -> list[int]:
    """Return for each node the one that its block is named after."""
    block = list(range(len(grid.extents)))
    block[count + 1] = count
    readers = _lists(grid.stops)
    for tail, lane in grid.lanes.items():
        for cell in lane:
            # The end of a branch goes straight up; what passes others keeps to their side.
            block[cell] = tail if len(readers[tail]) == 1 and tail < count else lane[0]
    main = _main_flows(grid, count)
    out = _lists(main)
    into = _lists((b, a) for a, b in main)
    for tail, heads in out.items():
        if len(heads) == 1 and into[heads[0]] == [tail]:
            block[heads[0]] = _root(block, tail)
    return [_root(block, node) for node in range(len(block))]


def _main_flows(grid: Grid, count: int) -> list[tuple[int, int]]:
    """Return the flows that shape the picture: between neighbouring rows, or from a branch's end.

    A flow that passes rows from an item that others read too is a skip: it goes around.
    A side output is read by nothing though other items stand above it: what leads to it must
    not bend the main line where it leaves it.
    """
    rank_of = {node: rank for rank, row in enumerate(grid.rows) for node in row}
    last = max((rank for node, rank in rank_of.items() if node < count), default=0)
    heads = _lists(grid.stops)
    useful: set[int] = {count + 1}
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


Distances = dict[int, dict[int, float]]
"""Block -> the blocks at its right, and how far their spines must be from its own."""


def _distances(grid: Grid, block: list[int], gap: float) -> Distances:
    out: Distances = {block[node]: {} for row in grid.rows for node in row}
    for row in grid.rows:
        for left, right in itertools.pairwise(row):
            a, b = block[left], block[right]
            need = grid.extents[left][1] + gap + grid.extents[right][0]
            out[a][b] = max(out[a].get(b, 0.0), need)
    return out


def _topological(apart: Distances, size: int) -> list[int] | None:
    """Return the blocks from left to right, None if their order contradicts itself."""
    waiting = dict.fromkeys(apart, 0)
    for rights in apart.values():
        for right in rights:
            waiting[right] += 1
    ready = [b for b, n in waiting.items() if n == 0]
    order: list[int] = []
    while ready:
        node = ready.pop()
        order.append(node)
        for right in apart[node]:
            waiting[right] -= 1
            if waiting[right] == 0:
                ready.append(right)
    return order if len(order) == len(apart) else None


def _packed(order: Sequence[int], apart: Distances) -> dict[int, float]:
    xs = dict.fromkeys(order, 0.0)
    for node in order:
        for right, need in apart[node].items():
            xs[right] = max(xs[right], xs[node] + need)
    return xs


def _joined(grid: Grid, block: list[int], count: int) -> dict[int, list[int]]:
    """Return what each block wants to stand in the middle of: lanes follow items, not they them."""
    main = _main_flows(grid, count)
    pairs = [(block[a], block[b]) for a, b in main] + [(block[b], block[a]) for a, b in main]
    joined = _lists((a, b) for a, b in pairs if a != b)
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
    apart: Distances,
    order: list[int],
    xs: dict[int, float],
) -> None:
    joined = _joined(grid, block, count)
    lefts: Distances = {node: {} for node in apart}
    for node, rights in apart.items():
        for right, need in rights.items():
            lefts[right][node] = need
    for turn in range(ROUNDS):
        for node in order if turn % 2 else reversed(order):
            if node in joined:
                aim = sum(xs[n] for n in joined[node]) / len(joined[node])
                low = max((xs[n] + need for n, need in lefts[node].items()), default=-inf)
                high = min((xs[n] - need for n, need in apart[node].items()), default=inf)
                xs[node] = max(low, min(aim, high))
