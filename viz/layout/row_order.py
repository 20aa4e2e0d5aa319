"""The order of nodes within rows: as given, changed only where that takes crossings away."""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections.abc import Iterable

SWEEPS = 6
LARGEST = 200_000
"""With more pieces than this the given order stays: it is a fair one, and this is slow."""


def order_rows(rows: list[list[int]], pieces: list[tuple[int, int]]) -> None:
    """Reorder `rows` in place, each node near the middle of what it is joined to."""
    if len(pieces) > LARGEST:
        return
    below: dict[int, list[int]] = {}
    above: dict[int, list[int]] = {}
    for tail, head in pieces:
        below.setdefault(head, []).append(tail)
        above.setdefault(tail, []).append(head)
    # A sweep may also add crossings, so the best order so far is kept, the given one included.
    best, fewest = [list(row) for row in rows], _crossings(rows, above)
    # The barycenter heuristic of Sugiyama, Tagawa and Toda (1981): exact minimisation is NP-hard.
    for sweep in range(SWEEPS):
        if fewest == 0:
            break
        upwards = sweep % 2 == 0
        order = range(1, len(rows)) if upwards else range(len(rows) - 2, -1, -1)
        for rank in order:
            neighbours = rows[rank - 1 if upwards else rank + 1]
            _sort(rows[rank], neighbours, below if upwards else above)
        crossings = _crossings(rows, above)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    for row, kept in zip(rows, best, strict=True):
        row[:] = kept


def _sort(row: list[int], neighbours: list[int], joined: dict[int, list[int]]) -> None:
    place = {node: i for i, node in enumerate(neighbours)}

    def middle(node: int) -> float | None:
        places = [place[n] for n in joined.get(node, ())]
        return sum(places) / len(places) if places else None

    keys = {node: middle(node) for node in row}
    # Nodes without neighbours in that row keep their index; the others are sorted around them.
    free = {i for i, node in enumerate(row) if keys[node] is None}
    ranked = iter(sorted((n for n in row if keys[n] is not None), key=lambda n: keys[n] or 0.0))
    row[:] = [node if i in free else next(ranked) for i, node in enumerate(row)]


def _crossings(rows: list[list[int]], above: dict[int, list[int]]) -> int:
    return sum(_between(a, b, above) for a, b in itertools.pairwise(rows))


def _between(lower: list[int], upper: list[int], above: dict[int, list[int]]) -> int:
    """Return how often pieces between two rows cross: inversions of their upper ends."""
    place = {node: i for i, node in enumerate(upper)}
    return _inversions(p for node in lower for p in sorted(place[n] for n in above.get(node, ())))


def _inversions(values: Iterable[int]) -> int:
    seen: list[int] = []
    count = 0
    for value in values:
        # Equal ends are no crossing: those pieces meet in one node.
        count += len(seen) - bisect_right(seen, value)
        insort(seen, value)
    return count
