"""Pictures that flow to the right, and pictures in columns: the same drawing on another page."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from pathlib import Path

import pytest

from compiler.__main__ import main
from compiler.errors import UsageError
from compiler.graph import Graph
from compiler.pipeline import load_graph
from tests.viz.corpus import WRITTEN
from tests.viz.geometry import clipped, crossings, overlaps, struck, touched
from tests.viz.networks import network
from viz.diagram.arrange import arrange
from viz.diagram.box_builder import View
from viz.layout.lay_out import Direction, lay_out
from viz.layout.placed import Layout
from viz.render import Options, render
from viz.style.theme import THEMES

NAMES = ("unet", "fpn", "multi", "plus_plus", "dense_8", "inception_v4", "zoo/resnet50")


@cache
def graph(name: str) -> Graph:
    return network(WRITTEN[name]) if name in WRITTEN else load_graph(name)


@cache
def drawn(name: str, direction: Direction = "up", columns: int = 1, depth: int = 9) -> Layout:
    diagram = arrange(graph(name), View(depth=depth))
    return lay_out(diagram, THEMES["paper"], direction, columns)


def assert_clean(layout: Layout) -> None:
    assert overlaps(layout) == []
    assert clipped(layout) == []
    assert touched(layout) == []
    assert struck(layout) == []


@pytest.mark.parametrize("name", NAMES)
def test_to_the_right_nothing_overlaps_and_every_arrow_goes_right(name: str) -> None:
    layout = drawn(name, "right")
    area = {b.box.id: b.area for b in layout.boxes}

    assert_clean(layout)
    assert len(crossings(layout)) == len(crossings(drawn(name)))
    assert [a for a in layout.arrows if area[a.arrow.tail].right > area[a.arrow.head].x] == []


def test_to_the_right_a_size_is_below_its_box() -> None:
    for placed in drawn("inception_v4", "right", depth=0).boxes:
        size = next(text for text in placed.texts if text.role == "size")
        assert size.x == placed.area.x + placed.area.width / 2
        assert placed.area.bottom < size.y < placed.area.bottom + 12


def test_to_the_right_the_spine_is_one_line_and_reading_goes_along_it() -> None:
    layout = drawn("inception_v4", "right", depth=0)

    assert len({round(b.area.y + b.area.height / 2, 3) for b in layout.boxes}) == 1
    assert [b.box.label for b in layout.boxes][:3] == [
        "Input (299x299x3)",
        "Stem",
        "4 x Inception-A",
    ]
    assert layout.width > 8 * layout.height


@pytest.mark.parametrize("direction", ["up", "right"])
@pytest.mark.parametrize("name", NAMES)
def test_columns_keep_all_boxes_and_cross_nothing_new(name: str, direction: Direction) -> None:
    whole, parts = drawn(name, direction), drawn(name, direction, 3)

    assert_clean(parts)
    assert [b.box for b in parts.boxes] == [b.box for b in whole.boxes]
    assert len(crossings(parts)) <= len(crossings(whole))
    for before, after in zip(whole.boxes, parts.boxes, strict=True):
        assert (after.area.width, after.area.height) == pytest.approx(
            (before.area.width, before.area.height)
        )


def test_columns_begin_at_one_level_and_are_read_from_left_to_right() -> None:
    layout = drawn("inception_v4", columns=3, depth=0)
    columns = [list(run) for _, run in groupby(layout.boxes, lambda b: round(b.area.x))]

    assert [len(column) for column in columns] == [4, 3, 3]
    assert len({round(column[0].area.bottom, 3) for column in columns}) == 1
    assert layout.height < drawn("inception_v4", depth=0).height / 2


def test_a_picture_is_not_cut_through_a_frame() -> None:
    """Each stage of ResNet-50 is a frame: more columns than there are places for is no error."""
    layout = drawn("zoo/resnet50", columns=50)

    assert_clean(layout)
    for frame in layout.frames:
        inside = [b for b in layout.boxes if b.box.id.startswith(f"{frame.group.id}.")]
        assert all(frame.area.x < b.area.x and b.area.right < frame.area.right for b in inside)


def test_a_page_of_a_height_gets_as_many_columns_as_make_it_largest() -> None:
    """Inception-v4 open is 515 x 2233 points: in one column its type would be 1.9 pt here."""
    options = Options(depth=9, width="11in", height="7in", least_type=4)
    svg = render(graph("inception_v4"), "svg", options).decode()
    width, height = (float(part.partition('"')[2].partition("pt")[0]) for part in _size(svg))

    assert width <= 11 * 72 + 0.01
    assert height <= 7 * 72 + 0.01
    with pytest.raises(
        UsageError, match=r"at 11\.00in x 7\.00in the smallest type would be 2\.0 pt"
    ):
        render(
            graph("inception_v4"), "svg", Options(depth=9, width="11in", height="7in", columns=1)
        )


def _size(svg: str) -> list[str]:
    head = svg[svg.index("<svg") : svg.index("viewBox")]
    return [part for part in head.split() if part.startswith(("width=", "height="))]


def test_the_sentence_for_a_picture_that_is_too_high() -> None:
    with pytest.raises(UsageError) as caught:
        render(graph("inception_v4"), "svg", Options(depth=9, height="3in", columns=1))

    assert str(caught.value) == (
        "at 3.00in the smallest type would be 0.9 pt, less than 5 pt: this picture needs at least "
        "17.24in of height; draw less of it (--block, --depth), in columns (--columns), or allow "
        "smaller type (--min-type)"
    )


def test_the_command_takes_direction_height_and_columns(tmp_path: Path) -> None:
    file = tmp_path / "v4.svg"
    arguments = ["--direction", "right", "--columns", "2", "--height", "3in", "-o", str(file)]

    assert main(["render", "inception_v4", *arguments]) == 0
    assert file.read_bytes() == render(
        graph("inception_v4"), "svg", Options(direction="right", columns=2, height="3in")
    )


def test_an_unknown_direction_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "inception_v4", "--direction", "rihgt"]) == 2
    assert capsys.readouterr().err == (
        "error: unknown direction `rihgt` (did you mean `right`?); it must be one of up, right\n"
    )
