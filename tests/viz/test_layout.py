"""One layout for any network: a straight spine, lanes beside it, arrows that can be told apart."""

from __future__ import annotations

import time
from collections import Counter
from functools import cache
from itertools import pairwise

import pytest

from compiler.graph import Graph
from compiler.pipeline import load_graph
from tests.viz.corpus import SHIPPED, WRITTEN, dense
from tests.viz.geometry import clipped, downwards, overlaps, struck, touched
from tests.viz.measure import tangle
from tests.viz.networks import layout, network
from viz.diagram.arrange import arrange
from viz.diagram.box_builder import View
from viz.layout.lay_out import lay_out
from viz.layout.placed import Layout, PlacedArrow

NAMES = [*WRITTEN, *SHIPPED]


@cache
def graph(name: str) -> Graph:
    return network(WRITTEN[name]) if name in WRITTEN else load_graph(name)


@cache
def drawn(name: str, depth: int = 9) -> Layout:
    return lay_out(arrange(graph(name), View(depth=depth)))


def arrow(layout: Layout, tail: str, head: str) -> PlacedArrow:
    return next(a for a in layout.arrows if (a.arrow.tail, a.arrow.head) == (tail, head))


def middles(layout: Layout) -> dict[str, float]:
    return {b.box.id: round(b.area.x + b.area.width / 2, 3) for b in layout.boxes}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("densenet", "dense_24")])
def test_no_line_touches_what_it_does_not_join(name: str) -> None:
    for depth in (0, 9):
        layout = drawn(name, depth)
        assert overlaps(layout) == []
        assert clipped(layout) == []
        assert touched(layout) == []
        assert downwards(layout) == []
        assert struck(layout) == []


@pytest.mark.parametrize("name", NAMES)
def test_no_arrow_arrives_flat_or_at_the_place_of_another(name: str) -> None:
    layout = drawn(name)
    ends = Counter(arrow.points[-1] for arrow in layout.arrows)

    assert tangle(layout)["flat"] == tangle(layout)["through"] == 0
    assert [point for point, count in ends.items() if count > 1] == []


def test_crossings_of_the_fixed_networks() -> None:
    """Nested skips cross nothing; with every block open neither do the paper's networks."""
    names = ("unet", "fpn", "siamese", "multi", "skips_60", "inception_v4", "zoo/resnet50")

    assert {name: tangle(drawn(name))["crossings"] for name in names} == dict.fromkeys(names, 0)


def test_the_longest_chain_is_one_vertical_line() -> None:
    x = middles(drawn("fpn"))
    down = ["image", "stem", "c2", "c3", "c4", "c5", "p5", "up5", "p4", "up4", "p3", "up3", "p2"]

    assert len({x[name] for name in down}) == 1
    assert x["l2"] < x["l3"] < x["l4"] < x["c5"]


def test_heads_of_one_kind_are_one_column() -> None:
    x = middles(drawn("fpn", 0))

    assert x["head3"] == x["head4"] == x["head5"] > x["p5"]
    assert x[":head3"] == x["head3"]


def test_skips_of_a_u_are_nested_lanes_of_right_angles() -> None:
    layout = drawn("unet", 0)
    outer = 0.0
    for level in (4, 3, 2, 1):
        points = arrow(layout, f"enc{level}", f"up{level}").points
        assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(points))
        lane = max(x for x, _ in points)
        assert lane > outer
        outer = lane


def test_a_frame_that_reads_two_things_has_two_gates() -> None:
    """The skip enters the frame of `up4` beside what comes from below, not in one line with it."""
    layout = drawn("unet")
    frame = next(f.area for f in layout.frames if f.group.id == "up4")
    ways = [a.points for a in layout.arrows if a.arrow.head in ("up4.upsample", "up4.joined")]
    gates = [
        a[0]
        for points in ways
        for a, b in pairwise(points)
        if a[1] >= frame.bottom >= b[1] and a[0] == b[0]
    ]

    assert len(gates) == len(set(gates)) == 2


def test_what_follows_a_skip_over_boxes_goes_straight_on() -> None:
    x = middles(drawn("densenet"))

    assert len(set(x.values())) == 1


def test_lines_from_one_box_share_a_lane() -> None:
    layout = drawn("dense_8")
    far = [a.points for a in layout.arrows if a.arrow.tail == "c0" and len(a.points) > 3]

    assert len(far) == 6
    assert len({points[2][0] for points in far}) == 1


def test_many_arrows_into_a_box_have_room() -> None:
    layout = drawn("dense_24")
    ends = sorted(a.points[-1][0] for a in layout.arrows if a.arrow.head == "j23")

    assert len(ends) == 23
    assert min(b - a for a, b in pairwise(ends)) > 3.6  # an arrowhead at the usual line


@pytest.mark.parametrize(("count", "boxes"), [(40, 79), (100, 199)])
def test_dense_layers_take_moments(count: int, boxes: int) -> None:
    """24 took 54 s and 40 never ended while every line was tried against every other one."""
    diagram = arrange(network(dense(count)))
    start = time.process_time()
    layout = lay_out(diagram)

    assert time.process_time() - start < 4
    assert len(layout.boxes) == boxes


def test_two_sources_of_a_list_stand_side_by_side_at_its_bottom() -> None:
    x = middles(drawn("multi"))
    areas = {b.box.id: b.area for b in drawn("multi").boxes}

    assert areas["image"].bottom == areas["depth"].bottom
    assert x["image"] < x["depth"]
    assert x["image"] == x["rgb_1"] == x["fused"] == x["trunk_3"]


def test_a_tall_block_beside_the_spine_stretches_it_only_where_it_must() -> None:
    text = """\
blocks:
  tall:
    layers: [{layers: [{conv: 1x1, filters: 8}], repeat: 6}]
layers:
  - {conv: 3x3, filters: 8, name: a}
  - {conv: 3x3, filters: 8, name: b}
  - {conv: 3x3, filters: 8, name: c}
  - {conv: 3x3, filters: 8, name: d}
  - {block: tall, from: a, name: side}
  - {concat: [d, side], name: join}
"""
    placed = layout(text, View(depth=9, fold="none"))
    areas = {b.box.id: b.area for b in placed.boxes}

    gap = areas["c"].y - areas["d"].bottom

    assert areas["b"].y - areas["c"].bottom == pytest.approx(gap)
