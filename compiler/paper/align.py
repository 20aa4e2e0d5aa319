"""Which box of one figure is which box of another: small series-parallel pictures, matched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cache, cached_property
from itertools import permutations

import networkx as nx

GAP = 0.6
"""Cost of leaving a box without a partner; two boxes with nothing in common cost 1."""
MOST_BRANCHES = 6
"""Forks of more branches are matched left to right instead of in the best order."""


@dataclass(frozen=True)
class Picture:
    """Boxes by place, bottom to top."""

    labels: tuple[str, ...]
    arrows: frozenset[tuple[int, int]]
    across: tuple[float, ...]
    """How far right each box is, compared with the others of its fork."""

    @cached_property
    def flow(self) -> nx.DiGraph[int]:
        """The arrows as a graph; those of one box lead to others from left to right."""
        flow: nx.DiGraph[int] = nx.DiGraph()
        flow.add_nodes_from(range(len(self.labels)))
        flow.add_edges_from(sorted(self.arrows, key=lambda arrow: (self.across[arrow[1]], arrow)))
        return flow

    @cached_property
    def joins(self) -> tuple[int, ...]:
        """Boxes that several arrows enter, lowest first."""
        return tuple(box for box, count in self.flow.in_degree() if count > 1)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Boxes that no arrow enters."""
        return tuple(box for box, count in self.flow.in_degree() if count == 0)

    @cached_property
    def _forks(self) -> nx.Graph[int]:
        return nx.restricted_view(self.flow, (), list(self.flow.in_edges(self.joins)))

    def branches(self, box: int) -> tuple[int, ...]:
        """Return what a box's arrows lead to, left to right, leaving out joins."""
        return tuple(self._forks[box])

    def chain(self, box: int) -> list[int]:
        """Return the boxes from `box` up to the next fork or join."""
        out = [box]
        while len(following := self.branches(out[-1])) == 1:
            out.append(following[0])
        return out

    def run(self, box: int) -> list[int]:
        """Return all boxes from `box` up to the next joins, with every branch on the way."""
        return list(nx.dfs_preorder_nodes(self._forks, box))


@dataclass(frozen=True, slots=True)
class Swap:
    """A fork whose branches are in another order: their first boxes, left to right."""

    first: tuple[int, ...]
    second: tuple[int, ...]


@dataclass(slots=True)
class Alignment:
    """Box of the first picture -> box of the second; forks whose branches changed places."""

    pairs: dict[int, int] = field(default_factory=dict)
    swaps: list[Swap] = field(default_factory=list)


def align(first: Picture, second: Picture) -> Alignment:
    """Match the boxes of two pictures by their positions and labels.

    Chains are matched box by box with the least change, the branches of a fork in the order
    that fits best, and joins from the bottom up.
    """
    out = Alignment()
    for a, b in zip(first.starts, second.starts, strict=False):
        _match(first, second, a, b, out)
    for a, b in zip(first.joins, second.joins, strict=False):
        _match(first, second, a, b, out)
    return out


def _match(first: Picture, second: Picture, a: int, b: int, out: Alignment) -> None:
    """Match two chains, then the branches that they end in."""
    chain_a, chain_b = first.chain(a), second.chain(b)
    labels_a, labels_b = _labels(first, chain_a), _labels(second, chain_b)
    for i, j in _edit(labels_a, labels_b)[1]:
        out.pairs[chain_a[i]] = chain_b[j]
    ends_a, ends_b = first.branches(chain_a[-1]), second.branches(chain_b[-1])
    chosen = _assign(first, second, ends_a, ends_b)
    for i, j in chosen:
        _match(first, second, ends_a[i], ends_b[j], out)
    if [j for _, j in chosen] != sorted(j for _, j in chosen):
        out.swaps.append(Swap(ends_a, ends_b))


def _labels(picture: Picture, boxes: Sequence[int]) -> tuple[str, ...]:
    return tuple(picture.labels[i] for i in boxes)


def _assign(
    first: Picture, second: Picture, ends_a: Sequence[int], ends_b: Sequence[int]
) -> list[tuple[int, int]]:
    """Return pairs of branches, by place, that change the least; the drawn order wins a tie."""
    if max(len(ends_a), len(ends_b)) > MOST_BRANCHES:
        return [(i, i) for i in range(min(len(ends_a), len(ends_b)))]
    runs_a = [_labels(first, first.run(e)) for e in ends_a]
    runs_b = [_labels(second, second.run(e)) for e in ends_b]
    if len(runs_a) <= len(runs_b):
        orders = permutations(range(len(runs_b)), len(runs_a))
        return list(enumerate(min(orders, key=lambda o: _total(runs_a, [runs_b[j] for j in o]))))
    orders = permutations(range(len(runs_a)), len(runs_b))
    best = min(orders, key=lambda o: _total([runs_a[i] for i in o], runs_b))
    return sorted((i, j) for j, i in enumerate(best))


def _total(runs_a: list[tuple[str, ...]], runs_b: list[tuple[str, ...]]) -> float:
    return sum(_edit(a, b)[0] for a, b in zip(runs_a, runs_b, strict=True))


@cache
def _edit(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[float, tuple[tuple[int, int], ...]]:
    """Return the least cost of turning one list of labels into another, and what was kept."""
    rows: list[list[tuple[float, tuple[tuple[int, int], ...]]]] = []
    for i in range(len(a) + 1):
        rows.append([])
        for j in range(len(b) + 1):
            ways: list[tuple[float, tuple[tuple[int, int], ...]]] = []
            if i and j:
                cost, kept = rows[i - 1][j - 1]
                ways.append((cost + _difference(a[i - 1], b[j - 1]), (*kept, (i - 1, j - 1))))
            if i:
                ways.append((rows[i - 1][j][0] + GAP, rows[i - 1][j][1]))
            if j:
                ways.append((rows[i][j - 1][0] + GAP, rows[i][j - 1][1]))
            rows[i].append(min(ways, key=lambda way: way[0]) if ways else (0.0, ()))
    return rows[-1][-1]


@cache
def _difference(a: str, b: str) -> float:
    """Return 0 for equal labels, 1 for labels that share nothing."""
    return 0.0 if a == b else 1 - SequenceMatcher(None, a, b).ratio()
