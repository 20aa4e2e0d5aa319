"""Strands -> x: the spine is straight, all else beside it, what is short nearer than what is long.

Strands are placed one after the other, each as near to the spine as those before it allow. A side
is chosen by what the lines to it would cross there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Literal

from viz.layout.flows import ABOVE
from viz.layout.strands import Net, Strand

Extent = tuple[float, float, float]
"""(left of the spine, right of it, height)."""
Side = Literal[-1, 1]
Width = tuple[float, float, bool]
"""(left of its x, right of it, whether there is only a line)."""

LANE = 4.0
"""Half the width of a lane."""
CROSSING, BOX, WRONG_SIDE, CAPTION = 2.0, 1000.0, 1.0, 50.0
"""What it costs that a line crosses another one, a box, or the place of a caption; that branches
leave the spec's order."""


class Columns:
    """The x of every node, and of every lane by the node that its line comes from."""

    def __init__(
        self,
        net: Net,
        strands: Sequence[Strand],
        extents: Mapping[int, Extent],
        covers: Mapping[int, range],
        gap: float,
    ) -> None:
        self.net = net
        self.extents = extents
        self.covers = covers
        self.gap = gap
        self.xs: dict[int, float] = {}
        self.lanes: dict[int, float] = {}
        self.of_row = {net.ranks[node]: node for node in strands[0].nodes}
        # Side and row -> how far things reach there, and whether it is a line that does.
        self._reached: dict[tuple[Side, int], tuple[float, bool]] = {}
        # Side and row -> where lines and boxes are that something in the gap below it would meet.
        self._lines: dict[tuple[Side, int], list[float]] = {}
        self._boxes: dict[tuple[Side, int], list[float]] = {}
        self._place_spine(strands[0])
        for strand in sorted(strands[1:], key=self._order):
            self._place(strand)

    def _place_spine(self, spine: Strand) -> None:
        for node in spine.nodes:
            self.xs[node] = 0.0
            for row in self.covers[node]:
                left, right, _ = self.extents[node]
                self._reached[-1, row], self._reached[1, row] = (left, False), (right, False)

    def _order(self, strand: Strand) -> tuple[int, bool, int]:
        """Return the key that orders strands from the spine outwards."""
        own = strand.nodes[0] if strand.nodes[0] >= 0 else -1 - strand.nodes[0]
        return len(strand.rows), not strand.is_lane, own * self._wanted(strand)

    def _wanted(self, strand: Strand) -> Side:
        """Return the side on which the spec's order is kept."""
        beside = self.of_row.get(strand.rows[0])
        if strand.is_lane or beside is None or beside == ABOVE:
            return 1
        first = strand.nodes[0]
        return -1 if (first < beside) == (first >= 0 or beside >= 0) else 1

    def _place(self, strand: Strand) -> None:
        wanted = self._wanted(strand)
        sides: tuple[Side, Side] = (wanted, -1 if wanted == 1 else 1)
        side = min(sides, key=lambda s: self._cost(strand, s) + (s != wanted) * WRONG_SIDE)
        profile = self._profile(strand)
        x = side * max((self._nearest(side, row, wide) for row, wide in profile.items()), default=0)
        for node in strand.nodes:
            (self.lanes if strand.is_lane else self.xs)[node] = x
        self._occupy(strand, side, abs(x), profile)

    def _profile(self, strand: Strand) -> dict[int, Width]:
        """Return how wide a strand is in each of its rows."""
        profile: dict[int, Width] = dict.fromkeys(strand.rows, (LANE, LANE, True))
        for node in () if strand.is_lane else strand.nodes:
            left, right, _ = self.extents[node]
            profile.update(dict.fromkeys(self.covers[node], (left, right, node < 0)))
        return profile

    def _nearest(self, side: Side, row: int, width: Width) -> float:
        left, right, is_line = width
        reached, was_line = self._reached.get((side, row), (LANE, True))
        gap = 0.0 if is_line and was_line else self.gap
        return reached + gap + (left if side == 1 else right)

    def _occupy(
        self, strand: Strand, side: Side, distance: float, profile: Mapping[int, Width]
    ) -> None:
        for row, (left, right, is_line) in profile.items():
            self._reached[side, row] = distance + (right if side == 1 else left), is_line
        # A strand passes the gaps below all its rows but the first; a box that is higher than
        # its row fills them.
        for row in strand.rows[1:]:
            self._lines.setdefault((side, row), []).append(distance)
        for node in () if strand.is_lane else strand.nodes:
            for row in self.covers[node][1:]:
                self._boxes.setdefault((side, row), []).append(distance)

    def _cost(self, strand: Strand, side: Side) -> float:
        """Return what the lines between a strand and what is placed would cross on one side."""
        cost = sum(self._met(row, side, other) for row, other in self._joints(strand))
        # At the upper edge of a frame its caption is at the left.
        exits = ABOVE in self.net.readers.get(strand.nodes[-1], ())
        return cost + CAPTION * (exits and side == -1)

    def _joints(self, strand: Strand) -> list[tuple[int, int]]:
        """Return the rows below which lines join a strand to others, and which nodes those are."""
        net, own = self.net, set(strand.nodes)
        joints = []
        if strand.is_lane:
            joints.append((strand.rows[0], strand.nodes[0]))
        else:
            joints += [(net.ranks[n], t) for n in strand.nodes for t in net.reads.get(n, ())]
        last = strand.nodes[-1]
        joints += [(net.ranks[h], h) for h in net.readers.get(last, ()) if h != ABOVE]
        return [(row, n) for row, n in joints if n not in own or strand.is_lane]

    def _met(self, row: int, side: Side, other: int) -> float:
        x = self.xs.get(other, inf) * side
        # What is not placed yet, or beyond, decides for itself; lines from the other side cross.
        if x == inf or x == -inf:
            return 0.0
        lines = sum(at > x for at in self._lines.get((side, row), ()))
        boxes = sum(at > x for at in self._boxes.get((side, row), ()))
        return CROSSING * (lines + (x < 0)) + BOX * boxes
