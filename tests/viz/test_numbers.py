"""Numbers in figures: of one copy inside a frame of copies, unknown where nothing computed them."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.graph import Graph
from compiler.pipeline import draft_graph, load_graph
from tests.viz.geometry import clipped, overlaps, struck, touched
from viz.diagram.faults import find_faults
from viz.diagram.parts import Diagram
from viz.layout.lay_out import lay_out
from viz.render import Options, picture

NESTED = """\
network: nested
input: {image: [4, H, 8]}
blocks:
  pair:
    layers:
      - {conv: 1x1, filters: 4, name: c, repeat: 2}
      - {conv: 3x3, filters: 4, name: d}
layers:
  - {block: pair, name: p, repeat: 3}
  - layers: [{block: pair, name: q}, {conv: 1x1, filters: 4, name: e}]
    name: s
    repeat: 5
"""


def notes_of(diagram: Diagram) -> dict[str, tuple[str, ...]]:
    """Return the lines of every box and frame that has some."""
    frames = {group.id: group.notes for group in diagram.groups() if group.notes}
    return frames | {box.id: box.notes for box in diagram.boxes() if box.notes}


def nested(tmp_path: Path) -> Graph:
    spec = tmp_path / "nested.yaml"
    spec.write_text(NESTED)
    return load_graph(spec)


def test_a_frame_of_copies_says_the_sum_and_its_boxes_one_copy() -> None:
    """36,864 weights and 2 * 96 of the batch norm in a 1x1 convolution from 384 channels."""
    graph = load_graph("inception_v4")
    notes = notes_of(picture(graph, Options(depth=1, show=("params",))))
    assert notes["a.0"] == ("1.27 M parameters (4 x 317,632)",)
    assert notes["a.0.single.conv_1x1"] == ("37,056 parameters",)
    assert notes["stem"] == ("605,728 parameters",)
    assert notes_of(picture(graph, Options(show=("params",))))["a.0"] == notes["a.0"]


def test_frames_in_frames(tmp_path: Path) -> None:
    """A 1x1 convolution has 20 parameters and 128*H MACs here, a 3x3 one 148 and 1,152*H."""
    graph = nested(tmp_path)
    notes = notes_of(picture(graph, Options(depth=2, show=("params", "macs"))))
    pair = ("188 parameters", "1408*H MACs")
    assert notes["p.0"] == ("564 parameters (3 x 188)", "4224*H MACs (3 x 1408*H)")
    assert notes["p.0.c.0"] == ("40 parameters (2 x 20)", "256*H MACs (2 x 128*H)")
    assert notes["p.0.d"] == ("148 parameters", "1152*H MACs")
    assert notes["s.0"] == ("1,040 parameters (5 x 208)", "7680*H MACs (5 x 1536*H)")
    assert notes["s.0.q"] == pair
    assert notes["s.0.q.c.0"] == notes["p.0.c.0"]
    assert notes["s.0.e"] == ("20 parameters", "128*H MACs")
    closed = notes_of(picture(graph, Options(show=("params", "macs"))))
    assert closed["s.0.q"] == pair


def test_a_long_formula_is_shown_by_its_growth() -> None:
    graph = load_graph("inception_v4", inputs=["3xHxW"])
    notes = notes_of(picture(graph, Options(show=("macs",))))
    assert notes["a.0"] == ("~19,776*H*W MACs (4 x ~4,944*H*W)",)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_numbers_in_frames_have_room(tmp_path: Path, depth: int) -> None:
    options = Options(depth=depth, show=("params", "macs", "rf", "shapes"))
    for graph in (nested(tmp_path), load_graph("inception_v4")):
        layout = lay_out(picture(graph, options))
        for complaint in (overlaps, clipped, touched, struck):
            assert complaint(layout) == []


def sizes_of(spec: str, *inputs: str) -> list[str | None]:
    graph, report, _ = draft_graph(spec, {}, inputs)
    faults = find_faults(graph, report.diagnostics)
    return [box.size for box in picture(graph, Options(faults=faults)).boxes()]


def test_a_size_that_was_never_computed_is_unknown() -> None:
    """The channels are known: they do not depend on the grid that has no room."""
    assert sizes_of("inception_v4", "3x74x74") == [
        "74x74x3",
        "Output: 6x6x384",
        "Output: 6x6x384",
        "Output: 2x2x1024",
        "Output: 2x2x1024",
        "Output: ?x?x1536",
        "Output: ?x?x1536",
        "Output: 1536",
        "Output: 1536",
        "Output: 1000",
    ]


def test_a_stated_size_is_said_to_be_stated() -> None:
    graph, report, _ = draft_graph("printed/inception_v4")
    faults = find_faults(graph, report.diagnostics)
    for figure in (3, 9):
        assert picture(graph, Options(figure=figure, faults=faults)).notes == (
            "`stem.mixed_5a.concat` cannot concat 69x69x192 with 35x35x192",
            "`stem.mixed_5a.concat`: 35x35x384 is stated, not computed; what follows goes by it",
        )
    assert len(picture(graph, Options(figure=4, faults=faults)).notes) == 0
