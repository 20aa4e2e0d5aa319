"""Items with any flows between them -> places, and the bends of what passes items.

The longest chain is the spine, a straight line; other chains are strands beside it, and a line
that passes rows runs along a lane of its own. Rows are by longest path, but a box that is higher
than its row only fills the rows beside it, and pushes nothing up that does not read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from viz.layout.columns import LANE, Columns, Extent
from viz.layout.flows import ABOVE, Flow
from viz.layout.placed import Point
from viz.layout.rise import Span, is_steep, rise
from viz.layout.strands import Net, Strand, find_lanes, find_net, find_strands
from viz.layout.tracks import FROM_TAIL, TO_HEAD, Run, Tracks
from viz.style.theme import Theme

ROUNDS = 3
"""So often boxes that lines would run through are given rows of their own; then all boxes are."""

LOW = 3.0
"""Boxes no higher than this many gaps between rows never reach beside the next row."""


@dataclass(slots=True)
class LayeredPlacement:
    """Where the items are, y upwards and x from the spine, and the bends of their flows."""

    left: float
    right: float
    height: float
    places: list[Point]
    ways: dict[Flow, list[Point]]
    gates: dict[int, float]
    """Where data from below enters: negative node -> x."""
    exits: list[float]
    """At which x data exits at the top."""
    firm: set[Flow]
    """Flows whose bends must stay: they run along lanes and tracks."""


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
        flows: pairs of items; a negative tail and `ABOVE` are what is outside.
        theme: has the distances.
    """
    net = find_net(len(extents), flows)
    point = (0.0, 0.0, 0.0)
    sizes = {n: extents[n] if 0 <= n < net.count else point for n in net.ranks}
    low = {n for n in sizes if sizes[n][2] <= LOW * theme.row_gap}
    plan = _Plan(net, sizes, spans, theme, low)
    for _ in range(ROUNDS):
        met = plan.make()
        if not met:
            break
        plan.hard |= met
    else:
        plan.hard = set(net.ranks)
        plan.make()
    return plan.placement()


@dataclass(slots=True)
class _Plan:
    """Everything about one series, made anew in each round."""

    net: Net
    sizes: Mapping[int, Extent]
    spans: Sequence[tuple[Span, Span]]
    theme: Theme
    hard: set[int]
    """Boxes above whose top the next row begins."""
    bottoms: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    """How high the gap below each row is."""
    columns: Columns = field(init=False)
    tracks: Tracks = field(init=False)
    strands: list[Strand] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    """Node -> the one that follows it on its strand."""
    runs: dict[Flow, list[Run]] = field(default_factory=dict)
    exits: dict[int, Run] = field(default_factory=dict)
    """Node -> the run to its lane."""
    slants: list[tuple[int, float, float]] = field(default_factory=list)
    """(row, leftmost x, rightmost x) of the slanted lines in the gap below a row."""

    def make(self) -> set[int]:
        """Find all places; return the boxes that lines run through, for another round."""
        net = self.net
        rows = range(net.height)
        is_open = [any(0 <= n < net.count for n in row) for row in self._rows()]
        # Between two rows of boxes there is always a gap; at the ends of a series only for lines.
        self.gaps = [
            self.theme.row_gap if row and is_open[row] and is_open[row - 1] else 0.0 for row in rows
        ]
        self._stack()
        self.strands = self.strands or find_strands(net)
        self.ends = {a: b for s in self.strands for a, b in zip(s.nodes, s.nodes[1:], strict=False)}
        lanes = find_lanes(net, self.strands)
        self.columns = Columns(
            net, [*self.strands, *lanes], self.sizes, self._covers(), self.theme.column_gap
        )
        self._find_lines()
        for row in rows:
            self.gaps[row] = max(self.gaps[row], self.tracks.height(row))
        self._stack()
        return self._met()

    def _rows(self) -> list[list[int]]:
        rows: list[list[int]] = [[] for _ in range(self.net.height)]
        for node, rank in self.net.ranks.items():
            rows[rank].append(node)
        return rows

    def _stack(self) -> None:
        """Find the lower edge of each row: above all that its items read."""
        net = self.net
        self.bottoms = []
        tops: dict[int, float] = {}
        least = 0.0
        for row, nodes in enumerate(self._rows()):
            under = [tops[t] for n in nodes for t in net.reads.get(n, ())]
            self.bottoms.append(max([least, *under], default=0.0) + self.gaps[row])
            for node in nodes:
                tops[node] = self.bottoms[row] + self.sizes[node][2]
            least = max([self.bottoms[row], *(tops[n] for n in nodes if n in self.hard)])

    def _covers(self) -> dict[int, range]:
        """Return which rows each node fills: its own, and those whose gap it reaches into."""
        covers = {}
        for node, rank in self.net.ranks.items():
            top = self.bottoms[rank] + self.sizes[node][2]
            row = rank + 1
            while row < self.net.height and self.bottoms[row] - self.gaps[row] < top - 1e-6:
                row += 1
            covers[node] = range(rank, row)
        return covers

    def _find_lines(self) -> None:
        """Decide for each flow whether it is slanted or runs along tracks, and settle those."""
        self.tracks, self.runs, self.exits, self.slants = Tracks(), {}, {}, []
        for head, tails in self.net.reads.items():
            entries = []
            for tail in tails:
                # What follows on its strand is straight above it, unless its line exits aside.
                if self.ends.get(tail) == head and is_steep(self._reach(tail, head), self.theme):
                    self._fan(tail, head)
                else:
                    entries.append((tail, self._line_x(tail, head)))
            for side in (-1, 1):
                self._enter(head, [e for e in entries if (e[1] >= self._x(head)) == (side == 1)])
        self.tracks.settle()

    def _x(self, node: int) -> float:
        return self.columns.xs[node]

    def _is_laned(self, tail: int, head: int) -> bool:
        """True where the line of a flow leaves its strand for a lane."""
        return self.ends.get(tail, head) != head and self._rows_passed(tail, head) > 0

    def _line_x(self, tail: int, head: int) -> float:
        """Return at which x a line comes up to the gap below its head."""
        return self.columns.lanes[tail] if self._is_laned(tail, head) else self._x(tail)

    def _enter(self, head: int, entries: list[tuple[int, float]]) -> None:
        """Lead lines to a head from one side: all slanted, or all along tracks."""
        row, x = self.net.ranks[head], self._x(head)
        if head == ABOVE:
            for tail, line_x in entries:
                self.runs[tail, head] = self._leave(tail, head, line_x)
            return
        slanted = all(
            not self._is_laned(t, head) and is_steep(self._reach(t, head), self.theme)
            for t, _ in entries
        )
        for tail, line_x in entries:
            if slanted:
                self._fan(tail, head)
                continue
            half = 0.5 * min(self.sizes[head][:2])
            port = x + (half if line_x > x else -half)
            # The line may come up where something inside its tail exits.
            start = (
                line_x
                if self._is_laned(tail, head)
                else max((line_x + a for a in self._span(tail, 1)), key=lambda at: abs(at - port))
            )
            entry = self.tracks.add(Run(row, start, port, (1.0, abs(line_x - x))))
            self.runs[tail, head] = [*self._leave(tail, head, line_x), entry]

    def _leave(self, tail: int, head: int, line_x: float) -> list[Run]:
        """Return the run from a tail to its lane, the same one for all that it leads to."""
        if not self._is_laned(tail, head):
            return []
        if tail not in self.exits:
            run = Run(self.net.ranks[tail] + 1, self._x(tail), line_x, (0.0, abs(line_x)))
            self.exits[tail] = self.tracks.add(run)
        return [self.exits[tail]]

    def _fan(self, tail: int, head: int) -> None:
        row = self.net.ranks[head]
        reach = self._reach(tail, head)
        if reach:
            self.gaps[row] = max(self.gaps[row], rise(reach, self.theme))
            ends = [self._x(tail) + a for a in self._span(tail, 1)]
            ends += [self._x(head) + b for b in self._span(head, 0)]
            self.slants.append((row, min(ends), max(ends)))

    def _reach(self, tail: int, head: int) -> float:
        """Return how far sideways the farthest line between two nodes goes."""
        dx = self._x(tail) - self._x(head)
        return max(abs(dx + a - b) for a in self._span(tail, 1) for b in self._span(head, 0))

    def _span(self, node: int, end: int) -> Span:
        """Return between which x lines enter a node (0) or exit it (1), from its own."""
        return self.spans[node][end] if 0 <= node < self.net.count else (0.0, 0.0)

    def _met(self) -> set[int]:
        """Return the boxes, higher than their row, that a line in a gap runs through."""
        out = set()
        lines = [(r.row, r.low, r.high) for runs in self.tracks.runs.values() for r in runs]
        lines += self.slants
        tall: dict[int, list[int]] = {}
        for node, rows in self._covers().items():
            for row in rows[1:]:
                tall.setdefault(row, []).append(node)
        for row, low, high in lines:
            for node in tall.get(row, ()):
                left, right, _ = self.sizes[node]
                if self._x(node) - left < high and low < self._x(node) + right:
                    out.add(node)
        return out

    def placement(self) -> LayeredPlacement:
        """Return what was found, counted from the spine."""
        net, xs, lanes = self.net, self.columns.xs, self.columns.lanes
        tops = [self.bottoms[r] + self.sizes[n][2] for n, r in net.ranks.items()]
        sides = [(xs[n] - self.sizes[n][0], xs[n] + self.sizes[n][1]) for n in net.ranks]
        sides += [(x - LANE, x + LANE) for x in lanes.values()]
        height = max(tops)
        ways = {flow: self._way(*flow, height) for flow in self._flows()}
        return LayeredPlacement(
            left=-min(left for left, _ in sides),
            right=max(right for _, right in sides),
            height=height,
            places=[(xs[n], self.bottoms[net.ranks[n]]) for n in range(net.count)],
            ways=ways,
            gates={n: xs[n] for n in net.ranks if n < 0},
            exits=[self._line_x(tail, ABOVE) for tail in net.reads.get(ABOVE, ())],
            firm={flow for flow in ways if flow in self.runs or self._rows_passed(*flow)},
        )

    def _rows_passed(self, tail: int, head: int) -> int:
        return self.net.ranks[head] - self.net.ranks[tail] - 1

    def _flows(self) -> list[Flow]:
        return [(tail, head) for head, tails in self.net.reads.items() for tail in tails]

    def _way(self, tail: int, head: int, height: float) -> list[Point]:
        """Return the bends of a flow, from its tail's top to its head's bottom."""
        row = self.net.ranks[head]
        x = self._line_x(tail, head)
        runs = self.runs.get((tail, head), [])
        ys = [self.tracks.y_of(run, self.bottoms[run.row]) for run in runs]
        points: list[Point] = []
        if self._is_laned(tail, head):
            points += [(FROM_TAIL, ys[0]), (x, ys[0])]
        if head == ABOVE:
            return [*points, (x if points or tail < 0 else FROM_TAIL, height)]
        if runs and runs[-1].order[0] == 1:
            out = x if points or tail < 0 else FROM_TAIL
            return [*points, (out, ys[-1]), (TO_HEAD, ys[-1])]
        if self.ends.get(tail) == head:
            return points
        return [(FROM_TAIL, self.bottoms[row] - self.gaps[row])]
