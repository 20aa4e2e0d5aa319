"""Opening one block on the spine lifts what is above it, and moves lanes beside it outwards."""

from __future__ import annotations

from functools import cache

import pytest

from compiler.graph import Graph
from compiler.pipeline import load_graph
from tests.viz.corpus import WRITTEN
from tests.viz.networks import network
from viz.diagram.arrange import arrange
from viz.diagram.box_builder import View
from viz.layout.lay_out import lay_out
from viz.layout.opening import Rise, Scene, find_moves, find_rise


@cache
def graph(name: str) -> Graph:
    return network(WRITTEN[name]) if name in WRITTEN else load_graph(name)


@cache
def scene(name: str, *opened: str) -> Scene:
    return Scene(lay_out(arrange(graph(name), View(opened=frozenset(opened)))), opened)


def rise(name: str, *chain: str) -> Rise | None:
    return find_rise(scene(name, *chain[:-1]), scene(name, *chain))


NETWORKS = ["inception_v4", "inception_resnet_v1", "zoo/googlenet", "zoo/resnet50", "unet"]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_block_on_the_spine_opens_by_a_move(name: str) -> None:
    blocks = [b.box.id for b in scene(name).layout.boxes if b.box.region]

    assert blocks
    assert [block for block in blocks if rise(name, block) is None] == []


def test_what_does_not_move_as_a_whole_does_not_open_so() -> None:
    """The heads of a pyramid are a column beside the spine, which one of them stretches."""
    assert rise("fpn", "head4") is None


def test_rises_add_up() -> None:
    """Two blocks open: what is above both rises by the sum, what is between by one."""
    name, low, high = "inception_v4", "stem", "reduction_b"
    both, none = scene(name, low, high).boxes, scene(name).boxes
    first, second = rise(name, low), rise(name, high)
    assert first is not None
    assert second is not None

    lifts = {box: both[box][1] - none[box][1] for box in ("image", "a.0", "b.0", "c.0")}
    assert lifts == pytest.approx(
        {"image": 0, "a.0": first.rise, "b.0": first.rise, "c.0": first.rise + second.rise}
    )


def test_a_block_in_an_open_block_lifts_what_is_above_both() -> None:
    found = rise("unet", "up4", "up4.double_conv")
    before, after = scene("unet", "up4").boxes, scene("unet", "up4", "up4.double_conv").boxes
    assert found is not None

    assert after["up4.joined"][1] - before["up4.joined"][1] == pytest.approx(0)
    assert after["up3"][1] - before["up3"][1] == pytest.approx(found.rise)


def test_lanes_beside_a_wide_block_move_outwards() -> None:
    """All four skips pass the floor of a U-Net; with it open each is farther from the spine."""
    closed, opened, found = scene("unet"), scene("unet", "floor"), rise("unet", "floor")
    assert found is not None
    moves = find_moves(closed.legs("") or {}, opened.legs("") or {}, found)

    skips = [("enc4", "up4"), ("enc3", "up3"), ("enc2", "up2"), ("enc1", "up1")]
    assert moves is not None
    assert list(moves) == skips
    for ends in skips:
        before = max(x for x, _ in (closed.legs("") or {})[ends].points)
        assert max(x for x, _ in moves[ends]) > before + 5


def test_legs_are_cut_at_the_frame_of_an_open_block() -> None:
    """The way from the skip's box into the last block: outside its frame, then inside."""
    opened = scene("unet", "up4")
    _, low, _, _ = opened.frames["up4"]
    outside = (opened.legs("") or {})["enc4", "up4"].points
    inside = (opened.legs("up4") or {})["enc4", "up4.joined"].points

    assert outside[-1] == inside[0]
    assert outside[-1][1] == pytest.approx(low)
    assert inside[-1][1] == pytest.approx(opened.boxes["up4.joined"][1])
