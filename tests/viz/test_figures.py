"""Figures 1 to 20 beside the paper: boxes, words, sizes, arrows, and the order of branches."""

from __future__ import annotations

import json
from functools import cache
from itertools import groupby

import networkx as nx
import pytest

from compiler.graph import Graph
from compiler.paper.figures import paper
from compiler.pipeline import draft_graph
from tests.viz.geometry import bent, clipped, crossings, downwards, overlaps, struck, touched
from viz.diagram.faults import find_faults
from viz.diagram.selection import figures_of
from viz.layout.fit import fit, texts
from viz.layout.lay_out import lay_out
from viz.layout.placed import Layout
from viz.render import Options, picture, render
from viz.style.theme import THEMES

PRINTED = {
    1: "teaching/residual",
    2: "teaching/bottleneck",
    **dict.fromkeys(range(3, 10), "printed/inception_v4"),
    **dict.fromkeys(range(10, 16), "printed/inception_resnet_v1"),
    **dict.fromkeys(range(16, 20), "printed/inception_resnet_v2"),
    20: "teaching/residual_scaling",
}
"""Figure -> the spec that draws it to the letter. Figure 15's sizes are those of v1."""

BUILT = (
    [("inception_v4", number) for number in range(3, 10)]
    + [("inception_resnet_v1", number) for number in (10, 7, 11, 12, 13, 14, 15)]
    + [("inception_resnet_v2", number) for number in (3, 16, 7, 17, 18, 19, 15)]
)


@cache
def drafted(spec: str) -> tuple[Graph, Options]:
    graph, report, _ = draft_graph(spec)
    return graph, Options(faults=find_faults(graph, report.diagnostics))


@cache
def drawn(spec: str, number: int) -> Layout:
    graph, options = drafted(spec)
    return lay_out(picture(graph, Options(figure=number, faults=options.faults)))


def ordered(
    boxes: list[tuple[str, str | None, float]], arrows: list[tuple[int, int]]
) -> nx.DiGraph[int]:
    """Return a graph whose edges know how far from the left they leave and arrive."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    for i, (label, size, _) in enumerate(boxes):
        graph.add_node(i, words=(label, size))
    for tail, head in arrows:
        graph.add_edge(tail, head)
    for tail, head in arrows:
        leaving = sorted(graph.successors(tail), key=lambda n: round(boxes[n][2]))
        arriving = sorted(graph.predecessors(head), key=lambda n: round(boxes[n][2]))
        graph.edges[tail, head]["place"] = (leaving.index(head), arriving.index(tail))
    return graph


@pytest.mark.parametrize("number", sorted(PRINTED))
def test_json_is_the_printed_figure(number: int) -> None:
    graph, options = drafted(PRINTED[number])
    ours = json.loads(render(graph, "json", Options(figure=number, faults=options.faults)))
    figure = paper().figures[number]
    xs = [b.area.x + b.area.width / 2 for b in drawn(PRINTED[number], number).boxes]

    mine = ordered(
        [(n["label"], n["size"], x) for n, x in zip(ours["nodes"], xs, strict=True)],
        [(tail, head) for tail, head in ours["edges"]],
    )
    theirs = ordered([(b.label, b.size, b.x) for b in figure.boxes], list(figure.arrows))

    assert nx.is_isomorphic(
        mine,
        theirs,
        node_match=lambda a, b: a["words"] == b["words"],
        edge_match=lambda a, b: a["place"] == b["place"],
    )


ALL = [(spec, number) for number, spec in PRINTED.items()] + BUILT


@pytest.mark.parametrize(("spec", "number"), ALL)
def test_nothing_overlaps_is_clipped_or_crosses(spec: str, number: int) -> None:
    layout = drawn(spec, number)

    assert overlaps(layout) == []
    assert clipped(layout) == []
    assert crossings(layout) == []
    assert touched(layout) == []
    assert downwards(layout) == []
    assert struck(layout) == []


@pytest.mark.parametrize(("spec", "number"), ALL)
def test_arrows_are_straight_and_meet_edges_at_a_readable_angle(spec: str, number: int) -> None:
    """No printed figure has a bent arrow; the flattest arrows there rise by one in seven."""
    layout = drawn(spec, number)
    ends = [arrow.points[-2:] for arrow in layout.arrows]

    assert bent(layout) == []
    assert all(y0 - y1 > abs(x1 - x0) / 5 for (x0, y0), (x1, y1) in ends)


@pytest.mark.parametrize("number", sorted(set(PRINTED) - {5, 6, 8, 10, 16}))
def test_boxes_stand_in_the_rows_of_the_paper(number: int) -> None:
    """Bottom to top and left to right; the figures left out space each branch by itself."""
    printed = [box.label for box in paper().figures[number].boxes]

    assert [b.box.label for b in drawn(PRINTED[number], number).boxes] == printed


def test_short_branches_stand_in_the_middle_of_figures_7_and_11() -> None:
    """There Figure 7's y are 227 (k), 190 (pool, n, l) and 154 (m)."""
    rows = {b.box.label: b.area.y for b in drawn(PRINTED[7], 7).boxes}
    assert rows["1x1 Conv (k)"] > rows["3x3 Conv (l)"] > rows["3x3 Conv (m stride 2 V)"]
    assert (
        rows["3x3 MaxPool (stride 2 V)"] == rows["3x3 Conv (n stride 2 V)"] == rows["3x3 Conv (l)"]
    )

    tops = [b.area.y for b in drawn(PRINTED[11], 11).boxes if "(128)" in b.box.label]
    assert tops[0] > tops[1] == tops[2] > tops[3]  # 1x1; 1x1 and 1x7 side by side; 7x1


@pytest.mark.parametrize(("spec", "number"), BUILT)
def test_every_figure_fits_a_column_with_type_of_five_points(spec: str, number: int) -> None:
    """A column of a two-column page is 3.3 inches wide; journals ask for 5 points at least."""
    fitted, scale = fit(drawn(spec, number), 3.3 * 72, least_type=5.0)

    assert fitted.width * scale <= 3.3 * 72 + 1e-6
    assert min(text.size for text in texts(fitted)) * scale >= 5.0


@pytest.mark.parametrize(("spec", "number"), ALL)
def test_boxes_of_a_row_stand_on_one_line(spec: str, number: int) -> None:
    """Two boxes of one height whose spans overlap vertically are exactly level."""
    boxes = sorted(drawn(spec, number).boxes, key=lambda b: b.area.y)
    for a in boxes:
        for b in boxes:
            level = abs(a.area.y - b.area.y) < min(a.area.height, b.area.height) / 2
            assert not (level and not a.round and not b.round) or abs(a.area.y - b.area.y) < 1e-6


@pytest.mark.parametrize("theme", list(THEMES))
def test_every_theme_keeps_figure_6_clean(theme: str) -> None:
    graph, _ = drafted("inception_v4")
    layout = lay_out(picture(graph, Options(figure=6)), THEMES[theme])

    assert (overlaps(layout), clipped(layout), crossings(layout)) == ([], [], [])


def test_nodes_come_bottom_to_top_and_left_to_right() -> None:
    layout = drawn("inception_v4", 4)
    rows = [[b.box.label for b in row] for _, row in groupby(layout.boxes, lambda b: b.area.bottom)]

    assert rows == [
        ["Filter concat"],
        ["Avg Pooling", "1x1 Conv (96)", "1x1 Conv (64)", "1x1 Conv (64)"],
        ["1x1 Conv (96)", "3x3 Conv (96)", "3x3 Conv (96)"],
        ["3x3 Conv (96)"],
        ["Filter concat"],
    ]


def test_stride_is_on_every_strided_box_of_the_built_stem() -> None:
    """Case D09: the printed stem lacks a stride, and readers asked (tensorflow/models#7041)."""
    labels = [b.box.label for b in drawn("inception_v4", 3).boxes]

    assert labels.count("3x3 MaxPool (stride 2 V)") == 2
    assert "3x3 Conv (192 stride 2 V)" in labels
    assert sum("stride 2" in label for label in labels) == 5


def test_figure_7_names_its_parameters_and_an_instance_shows_their_values() -> None:
    graph, _ = drafted("inception_v4")

    def labels(options: Options) -> set[str]:
        return {box.label for box in picture(graph, options).boxes()}

    assert {"1x1 Conv (k)", "3x3 Conv (l)", "3x3 Conv (m stride 2 V)"} <= labels(Options(figure=7))
    values = labels(Options(block="reduction_a"))
    assert {"1x1 Conv (192)", "3x3 Conv (224)", "3x3 Conv (256 stride 2 V)"} <= values


def test_colours_are_the_papers() -> None:
    graph, _ = drafted("inception_v4")
    svg = render(graph, "svg", Options()).decode()

    for colour in ("#fff2cc", "#ead1dc", "#e6b8af", "#d9ead3", "#d9d9d9", "#cfe2f3"):
        assert f'fill="{colour}" stroke="#6d9eeb"' in svg


def test_figures_of_a_network() -> None:
    graph, _ = drafted("inception_v4")

    assert figures_of(graph) == {
        3: "stem_v4",
        4: "inception_a",
        5: "inception_b",
        6: "inception_c",
        7: "reduction_a",
        8: "reduction_b",
        9: "",
    }
