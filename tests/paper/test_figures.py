"""The paper as data, and every figure drawn from the specs as the paper prints it."""

from __future__ import annotations

import pytest

from compiler.facts.figure_boxes import boxes_of
from compiler.graph import Graph
from compiler.paper.figures import figures_named, paper, plain_label
from compiler.pipeline import draft_graph

PRINTED = {
    "printed/inception_v4": (3, 4, 5, 6, 7, 8, 9),
    "printed/inception_resnet_v1": (7, 10, 11, 12, 13, 14, 15),
    "printed/inception_resnet_v2": (3, 7, 16, 17, 18, 19),
    "teaching/residual": (1,),
    "teaching/bottleneck": (2,),
    "teaching/residual_scaling": (20,),
}
"""Spec -> the figures that it prints to the letter. Figure 15 has the sizes of v1 alone."""

# boxes and arrows of each figure, counted in the paper by hand
COUNTS = {
    1: (5, 5),
    2: (5, 5),
    3: (17, 19),
    4: (10, 12),
    5: (13, 15),
    6: (13, 17),
    7: (7, 8),
    8: (9, 10),
    9: (10, 9),
    10: (10, 12),
    11: (8, 9),
    12: (10, 12),
    13: (8, 9),
    14: (8, 7),
    15: (10, 9),
    16: (10, 12),
    17: (8, 9),
    18: (10, 12),
    19: (8, 9),
    20: (5, 5),
}


def region_of_figure(graph: Graph, number: int) -> str:
    """Return the first region that cites a figure."""
    for region in graph.regions.values():
        info = graph.definitions[region.definition].info if region.definition else region.info
        if region.kind in ("network", "block") and info.cite and info.cite.figure == number:
            return region.name
    raise AssertionError(f"nothing cites Figure {number}")


@pytest.mark.parametrize(("number", "counts"), COUNTS.items())
def test_the_data_holds_every_box_and_arrow(number: int, counts: tuple[int, int]) -> None:
    figure = paper().figures[number]
    assert (len(figure.boxes), len(figure.arrows)) == counts


def test_the_data_holds_184_boxes_and_205_arrows() -> None:
    figures = paper().figures.values()
    assert sum(len(f.boxes) for f in figures) == 184
    assert sum(len(f.arrows) for f in figures) == 205


def test_table_1_is_the_papers() -> None:
    assert {name: tuple(row.values()) for name, row in paper().table_1.items()} == {
        "Inception-v4": (192, 224, 256, 384),
        "Inception-ResNet-v1": (192, 192, 256, 384),
        "Inception-ResNet-v2": (256, 256, 384, 384),
    }


@pytest.mark.parametrize(
    ("spec", "number"), [(spec, number) for spec, numbers in PRINTED.items() for number in numbers]
)
def test_a_printed_spec_draws_its_figure_to_the_letter(spec: str, number: int) -> None:
    graph, _, _ = draft_graph(spec)
    figure = paper().figures[number]
    drawn = boxes_of(graph, region_of_figure(graph, number), by_name=True)
    label = {box.id: box.label for box in drawn.boxes}

    assert sorted((b.label, b.size or "") for b in drawn.boxes) == sorted(
        (b.label, b.size or "") for b in figure.boxes
    )
    assert sorted((label[tail], label[head]) for tail, head in drawn.edges) == sorted(
        (figure.boxes[tail].label, figure.boxes[head].label) for tail, head in figure.arrows
    )


def test_an_instance_shows_values_where_its_definition_shows_names() -> None:
    graph, _, _ = draft_graph("inception_resnet_v2")
    names = [box.label for box in boxes_of(graph, "reduction_a", by_name=True).boxes]
    values = [box.label for box in boxes_of(graph, "reduction_a").boxes]
    assert "3x3 Conv (m stride 2 V)" in names
    assert "3x3 Conv (384 stride 2 V)" in values
    assert "1x1 Conv (k)" not in values


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ("Figure 3, top left", {3}),
        ("Figures 4, 5 and 6", {4, 5, 6}),
        ("Figures 4-8, 12 and 18, bottom box", {4, 5, 6, 7, 8, 12, 18}),
        ("Figure 3, caption; Figures 15, 16, 17 and 19", {3, 15, 16, 17, 19}),
        ("Section 3.2; Figures 9 and 15", {9, 15}),
        ("Table 1, caption", set()),
        ("Introduction", set()),
    ],
)
def test_figures_named(where: str, numbers: set[int]) -> None:
    assert figures_named(where) == numbers


def test_labels_are_compared_without_case_and_equals_sign() -> None:
    assert plain_label("5 x Inception-resnet-A") == plain_label("5 x Inception-ResNet-A")
    assert plain_label("MaxPool (stride=2 V)") == plain_label("MaxPool (stride 2 V)")
    assert plain_label("1x7 Conv (224)") != plain_label("7x1 Conv (224)")
