"""Gaps between rows -> horizontal tracks: what goes too far sideways for a slanted line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf

from viz.layout.placed import Point

FROM_TAIL, TO_HEAD = -inf, inf
"""As an x of a bend: that of the point before it, or after it. Known only when all is placed."""
TRACK = 5.0
"""Points from track to track, and from a box to the first one."""
ENTRY = 9.0
"""Points between the last track and the boxes above: an arrowhead and a little more."""


@dataclass(slots=True)
class Run:
    """A horizontal piece of a line, in the gap below a row."""

    row: int
    start: float
    end: float
    """From which x to which it goes; the end at a box may be anywhere on its edge."""
    order: tuple[float, ...]
    """Of two runs that share an x the one with the lower order is lower."""
    track: int = 0

    @property
    def low(self) -> float:
        """Its left end."""
        return min(self.start, self.end)

    @property
    def high(self) -> float:
        """Its right end."""
        return max(self.start, self.end)


@dataclass(slots=True)
class Tracks:
    """The runs of all gaps; each has a track that no other one on it shares an x with."""

    runs: dict[int, list[Run]] = field(default_factory=dict)

    def add(self, run: Run) -> Run:
        """Note a run, and return it."""
        self.runs.setdefault(run.row, []).append(run)
        return run

    def settle(self) -> None:
        """Give every run its track."""
        for runs in self.runs.values():
            runs.sort(key=lambda run: run.order)
            for i, run in enumerate(runs):
                meet = (
                    r for r in runs[:i] if r.low < run.high + TRACK and run.low < r.high + TRACK
                )
                run.track = max((r.track + 1 for r in meet), default=0)

    def height(self, row: int) -> float:
        """Return how high the gap below a row must be for its tracks; 0 where it has none."""
        runs = self.runs.get(row)
        return ENTRY + TRACK * (1 + max(run.track for run in runs)) if runs else 0.0

    def y_of(self, run: Run, bottom: float) -> float:
        """Return how high a run is, below a row whose lower edge is at `bottom`."""
        last = max(r.track for r in self.runs[run.row])
        return bottom - ENTRY - TRACK * (last - run.track)


def resolve(points: Iterable[Point]) -> list[Point]:
    """Return bends with the x that they take from their neighbours put in."""
    out: list[Point] = []
    for x, y in points:
        out.append((out[-1][0] if x == FROM_TAIL else x, y))
    for i in range(len(out) - 2, -1, -1):
        if out[i][0] == TO_HEAD:
            out[i] = (out[i + 1][0], out[i][1])
    return out
