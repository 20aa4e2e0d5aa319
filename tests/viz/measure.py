"""How long a layout takes, and how tangled it is: `python -m tests.viz.measure`.

The networks are those of `tests.viz.corpus`, every block open. `crossings` counts pairs of lines,
`bends` the corners of all arrows, `flat` the arrows that rise by less than a quarter of their way
sideways into a box, `through` the lines that run through a box.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

from compiler.graph import Graph
from compiler.pipeline import load_graph
from tests.viz.corpus import GROWING, SHIPPED, WRITTEN
from tests.viz.networks import network
from viz.diagram.arrange import arrange
from viz.diagram.box_builder import View
from viz.layout.lay_out import lay_out
from viz.layout.placed import Layout, Point
from viz.layout.straighten import clip, cross

BAND = 40.0
SIZES = {
    "plain": (10, 100, 500, 1000, 2000),
    "skips": (10, 100, 500, 1000, 2000),
    "dense": (5, 12, 24, 40, 100),
}

Piece = tuple[int, Point, Point]


def graphs() -> Iterator[tuple[str, Graph]]:
    """Yield the fixed networks."""
    for name, text in WRITTEN.items():
        yield name, network(text)
    for name in SHIPPED:
        yield name, load_graph(name)


def timed(graph: Graph) -> tuple[Layout, float]:
    """Return a layout with every block open, and the seconds of processor time that it took."""
    diagram = arrange(graph, View(depth=9))
    start = time.process_time()
    layout = lay_out(diagram)
    return layout, time.process_time() - start


def tangle(layout: Layout) -> dict[str, int]:
    """Return how often lines cross, bend, arrive flat and run through boxes."""
    pieces: list[Piece] = [
        (i, a, b) for i, arrow in enumerate(layout.arrows) for a, b in pairwise(arrow.points)
    ]
    bands: dict[int, list[Piece]] = {}
    for piece in pieces:
        for band in _bands(piece[1][1], piece[2][1]):
            bands.setdefault(band, []).append(piece)
    crossed = {
        (p, q)
        for near in bands.values()
        for k, p in enumerate(near)
        for q in near[:k]
        if p[0] != q[0] and cross(p[1], p[2], q[1], q[2])
    }
    ends = [arrow.points[-2:] for arrow in layout.arrows]
    return {
        "crossings": len({frozenset(pair) for pair in crossed}),
        "bends": sum(len(arrow.points) - 2 for arrow in layout.arrows),
        "flat": sum(4.2 * (y0 - y1) < abs(x1 - x0) for (x0, y0), (x1, y1) in ends),
        "through": sum(_through(layout, bands)),
    }


def _bands(y: float, other: float) -> range:
    return range(int(min(y, other) // BAND), int(max(y, other) // BAND) + 1)


def _through(layout: Layout, bands: dict[int, list[Piece]]) -> Iterator[int]:
    for placed in layout.boxes:
        area = placed.area
        rect = (area.x + 0.1, area.y + 0.1, area.right - 0.1, area.bottom - 0.1)
        near = {piece for band in _bands(area.y, area.bottom) for piece in bands.get(band, ())}
        for number, a, b in near:
            arrow = layout.arrows[number].arrow
            # A line ends within the square around a circle.
            own = placed.round and placed.box.id in (arrow.tail, arrow.head)
            yield not own and clip(a, b, rect)


def main() -> None:
    """Print both tables."""
    print(f"{'network':24} {'boxes':>6} {'arrows':>6} {'s':>7}")
    for kind, sizes in SIZES.items():
        for size in sizes:
            layout, seconds = timed(network(GROWING[kind](size)))
            print(f"{kind:24} {len(layout.boxes):6} {len(layout.arrows):6} {seconds:7.2f}")
    words = ("crossings", "bends", "flat", "through")
    head = " ".join(f"{word:>9}" for word in words)
    print(f"\n{'network':24} {'boxes':>6} {'s':>7} {head} {'points':>12}")
    for name, graph in graphs():
        layout, seconds = timed(graph)
        found = tangle(layout)
        counts = " ".join(f"{found[word]:9}" for word in words)
        points = f"{layout.width:.0f}x{layout.height:.0f}"
        print(f"{name:24} {len(layout.boxes):6} {seconds:7.2f} {counts} {points:>12}", flush=True)


if __name__ == "__main__":
    main()
