"""Random diagrams, joined in ways that no network is: nothing fails, overlaps or goes back."""

from __future__ import annotations

from random import Random

import pytest

from tests.viz.geometry import clipped, downwards, overlaps, struck, touched
from viz.diagram.dissolve import dissolve_crossed
from viz.diagram.parts import Arrow, Box, Diagram, Group, Item, Parallel, Series
from viz.layout.lay_out import Direction, lay_out
from viz.style.theme import THEMES

LABELS = ("3x3 Conv (64)", "Filter concat", "1x1 Conv (256 stride 2 V)", "X")


class Maker:
    """Makes the diagram of a seed."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.boxes: list[Box] = []
        self.groups = 0

    def diagram(self) -> Diagram:
        content = self.series(3, self.dice.randint(2, 9))
        pairs: dict[tuple[int, int], None] = {}
        for head in range(1, len(self.boxes)):
            for _ in range(self.dice.choice([0, 1, 1, 1, 1, 2, 2, 3])):
                near = self.dice.random() < 0.6
                pairs[head - 1 if near else self.dice.randint(0, head - 1), head] = None
        arrows = tuple(Arrow(self.boxes[a].id, self.boxes[b].id) for a, b in pairs)
        return Diagram("random", "Random", dissolve_crossed(content, arrows), arrows)

    def series(self, depth: int, count: int) -> Series:
        return Series(tuple(self.item(depth) for _ in range(count)))

    def item(self, depth: int) -> Item:
        kind = self.dice.random()
        if depth and kind < 0.15:
            self.groups += 1
            name, title = f"g{self.groups}", self.dice.choice(["Block", "A longer title of it"])
            return Group(name, title, "block", self.series(depth - 1, self.dice.randint(1, 4)))
        if depth and kind < 0.3:
            counts = [self.dice.randint(bool(i == 0), 3) for i in range(self.dice.randint(1, 3))]
            columns = tuple(self.series(depth - 1, count) for count in counts)
            return Parallel(columns, self.dice.choice([None, None, 0]))
        size = self.dice.choice([None, None, "35x35x288"])
        label = "+" if self.dice.random() < 0.15 else self.dice.choice(LABELS)
        box = Box(f"b{len(self.boxes)}", label, "add" if label == "+" else "conv", size=size)
        self.boxes.append(box)
        return box


@pytest.mark.parametrize(
    ("direction", "columns", "most"), [("up", 1, 3), ("right", 1, 7), ("up", 3, 3)]
)
def test_random_diagrams_have_places(direction: Direction, columns: int, most: int) -> None:
    touches = 0
    for seed in range(25):
        layout = lay_out(Maker(seed).diagram(), THEMES["paper"], direction, columns)
        assert (overlaps(layout), clipped(layout)) == ([], []), seed
        touches += len(touched(layout)) + len(struck(layout))
        if direction == "up" and columns == 1:
            assert downwards(layout) == [], seed

    # Circles side by side may be grazed by a line to the next one, and the size below a circle,
    # which is wider than it, by a lane; in 25 pictures this often.
    assert touches <= most


def test_a_chain_that_skips_rows_goes_straight_on() -> None:
    """`c` follows `a` on its strand, and the longer way between them is the spine's."""
    names = "abcdef"
    items = tuple(Box(name, name, "conv") for name in names)
    ways = ("ab", "bd", "de", "ef", "ac", "cf")
    arrows = tuple(Arrow(way[0], way[1]) for way in ways)
    layout = lay_out(Diagram("d", "D", Series(items), arrows))
    middles = {b.box.id: round(b.area.x + b.area.width / 2, 3) for b in layout.boxes}

    assert middles["a"] == middles["b"] == middles["d"] == middles["f"] != middles["c"]
    assert touched(layout) == []
