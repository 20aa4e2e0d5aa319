"""Opening one block on the spine moves what is above it, and changes nothing else."""

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
from viz.layout.opening import Opening, find_opening
from viz.layout.placed import Layout


@cache
def graph(name: str) -> Graph:
    return network(WRITTEN[name]) if name in WRITTEN else load_graph(name)


@cache
def drawn(name: str, *opened: str) -> Layout:
    return lay_out(arrange(graph(name), View(opened=frozenset(opened))))


def opening(name: str, block: str) -> Opening | None:
    return find_opening(drawn(name), drawn(name, block), block)


NETWORKS = ["inception_v4", "inception_resnet_v1", "zoo/googlenet", "zoo/resnet50", "unet"]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_block_on_the_spine_opens_by_a_move(name: str) -> None:
    blocks = [b.box.id for b in drawn(name).boxes if b.box.region]

    assert blocks
    assert [block for block in blocks if opening(name, block) is None] == []


def test_what_is_new_is_the_frame_and_what_leads_to_it() -> None:
    found = opening("inception_v4", "reduction_a")
    assert found is not None

    # Figure 7 has 7 boxes and 8 arrows; the lowest box is the block below. One arrow more leads
    # out of the frame.
    assert [frame.group.id for frame in found.frames] == ["reduction_a"]
    assert len(found.boxes) == 6
    assert len(found.arrows) == 9
    assert {a.arrow.tail for a in found.arrows} & {
        b.box.id for b in drawn("inception_v4").boxes
    } == {"a.0"}


def test_openings_add_up() -> None:
    """Two blocks open: what is above both moves by the sum, what is between by one."""
    name, low, high = "inception_v4", "stem", "reduction_b"
    both = {b.box.id: b.area for b in drawn(name, low, high).boxes}
    none = {b.box.id: b.area for b in drawn(name).boxes}
    first, second = opening(name, low), opening(name, high)
    assert first is not None
    assert second is not None

    def lift(box: str) -> float:
        page = drawn(name, low, high).height - drawn(name).height
        return page - (both[box].bottom - none[box].bottom)

    assert lift("image") == pytest.approx(0)
    assert lift("a.0") == lift("b.0") == pytest.approx(first.rise)
    assert lift("c.0") == pytest.approx(first.rise + second.rise)


def test_what_does_not_move_as_a_whole_is_no_opening() -> None:
    """The heads of a pyramid are a column beside the spine, which one of them stretches."""
    assert opening("fpn", "head4") is None


def test_blocks_inside_an_open_block_open_by_their_path() -> None:
    layout = drawn("unet", "up4", "up4.double_conv")

    assert [frame.group.id for frame in layout.frames] == ["up4", "up4.double_conv"]
