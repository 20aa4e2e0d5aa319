"""Networks that are no figure: flat lists, skips, side outputs, columns that read each other."""

from __future__ import annotations

import re
import time

import pytest

from compiler.pipeline import draft_graph, load_graph
from tests.viz.geometry import clipped, crossings, downwards, overlaps, struck, touched
from tests.viz.networks import broken, layout, network
from viz.diagram.arrange import arrange
from viz.diagram.box_builder import View
from viz.diagram.faults import find_faults
from viz.diagram.parts import Box, walk
from viz.layout.lay_out import lay_out
from viz.layout.placed import Layout
from viz.render import Options, picture, render
from viz.style.theme import THEMES

SPECS = [
    "inception_v4",
    "inception_resnet_v1",
    "inception_resnet_v2",
    "released/inception_resnet_v2_slim",
    "released/inception_resnet_v1_facenet",
    "zoo/googlenet",
    "zoo/inception_v3",
]

SKIPS = """
layers:
  - {conv: 3x3, filters: 8, name: down_1}
  - {max_pool: 2x2, stride: 2, name: half_1}
  - {conv: 3x3, filters: 8, name: down_2}
  - {max_pool: 2x2, stride: 2, name: half_2}
  - {conv: 3x3, filters: 8, name: floor}
  - {upsample: 2, name: twice_2}
  - {concat: [twice_2, down_2], name: join_2}
  - {upsample: 2, name: twice_1}
  - {concat: [twice_1, down_1], name: join_1}
"""
SIDE = """
layers:
  - {conv: 3x3, filters: 8, name: a}
  - {conv: 3x3, filters: 8, name: b}
  - {conv: 1x1, filters: 4, name: side, from: a}
  - {conv: 3x3, filters: 8, name: c, from: b}
outputs: [c, {name: side, from: side, training_only: true}]
"""
FLAT_BRANCHES = """
layers:
  - {conv: 3x3, filters: 8, name: stem}
  - {conv: 1x1, filters: 8, name: left, from: stem}
  - {conv: 3x3, filters: 8, name: middle, from: stem}
  - {conv: 5x5, filters: 8, name: right, from: stem}
  - {conv: 5x5, filters: 8, name: right_2, from: right}
  - {concat: [left, middle, right_2], name: join}
"""
CROSSED = """
layers:
  - branches:
      left:
        - {conv: 3x3, filters: 8, name: a}
        - {conv: 3x3, filters: 8, name: b}
      right:
        - {conv: 5x5, filters: 8, name: c}
        - {add: [c, left.a], name: d}
    join: concat
"""


def assert_clean(layout: Layout) -> None:
    assert overlaps(layout) == []
    assert clipped(layout) == []
    assert touched(layout) == []
    assert downwards(layout) == []
    assert struck(layout) == []


@pytest.mark.parametrize("text", [SKIPS, SIDE, FLAT_BRANCHES, CROSSED])
def test_every_arrow_keeps_clear_of_boxes_and_crosses_none(text: str) -> None:
    drawn = layout(text)

    assert_clean(drawn)
    assert crossings(drawn) == []


def middles(layout: Layout) -> dict[str, float]:
    return {b.box.id: round(b.area.x + b.area.width / 2, 3) for b in layout.boxes}


def test_a_skip_goes_around_and_leaves_the_trunk_straight() -> None:
    drawn = layout(SKIPS)
    skip = next(a for a in drawn.arrows if (a.arrow.tail, a.arrow.head) == ("down_1", "join_1"))
    widest = max(b.area.right for b in drawn.boxes)

    assert len(set(middles(drawn).values())) == 1
    assert max(x for x, _ in skip.points) > widest


def test_flat_branches_are_columns_beside_the_longest_in_the_order_of_the_spec() -> None:
    x = middles(layout(FLAT_BRANCHES))

    assert x["left"] < x["middle"] < x["right"]
    assert x["stem"] == x["right"] == x["right_2"] == x["join"]


def test_a_side_output_is_named_and_does_not_bend_the_trunk() -> None:
    drawn = layout(SIDE)
    x = middles(drawn)

    assert x["image"] == x["a"] == x["b"] == x["c"]
    assert "Output side (training only)" in [b.box.label for b in drawn.boxes]


def test_a_head_at_the_side_stands_under_its_output() -> None:
    for depth in (0, 9):
        drawn = lay_out(arrange(load_graph("zoo/inception_v3"), View(depth=depth)))
        out = next(a.points for a in drawn.arrows if a.arrow.head == ":aux")
        assert out[0][0] == out[-1][0]


@pytest.mark.parametrize("spec", ["inception_v4", "inception_resnet_v1", "inception_resnet_v2"])
def test_arrows_of_the_paper_s_networks_bend_only_at_gates(spec: str) -> None:
    """With all blocks open: where a frame is entered, below its spine, and nowhere else."""
    drawn = lay_out(arrange(load_graph(spec), View(depth=9)))
    gates = {frame.area.bottom for frame in drawn.frames}

    assert {y for a in drawn.arrows for _, y in a.points[1:-1]} <= gates


def test_boxes_in_one_pile_share_a_width() -> None:
    """GoogLeNet's overview mixes `Inception` with `3x3 MaxPool (stride 2 V ceil)`."""
    drawn = lay_out(arrange(load_graph("zoo/googlenet")))

    assert len({box.area.width for box in drawn.boxes}) == 1


def test_numbers_make_a_box_as_high_as_they_need() -> None:
    drawn = lay_out(arrange(load_graph("inception_v4"), View(show=("params", "macs"))))
    heights = {b.box.label: b.area.height for b in drawn.boxes}

    assert heights["Dropout (keep 0.8)"] < heights["Softmax"] == heights["Stem"]


def test_a_size_is_said_once() -> None:
    """`--show shapes` adds nothing where the size is printed beside the box."""
    boxes = arrange(load_graph("inception_v4"), View(show=("shapes",))).boxes()
    assert not any(box.notes for box in boxes)

    inside = arrange(load_graph("inception_v4"), View(scope="a.0", show=("shapes",))).boxes()
    assert all(box.notes for box in inside)


def test_several_inputs_have_a_box_each() -> None:
    graph = network(
        "network: two\ninput: {image: [3, 8, 8], mask: [1, 8, 8]}\n"
        "layers:\n  - {concat: [image, mask], name: both}\n  - {conv: 3x3, filters: 4}\n"
    )
    drawn = lay_out(arrange(graph))

    assert [b.box.label for b in drawn.boxes][:2] == ["image (8x8x3)", "mask (8x8x1)"]
    assert_clean(drawn)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("depth", [0, 1, 9])
def test_every_operation_is_in_exactly_one_box(spec: str, depth: int) -> None:
    """Dropout and the auxiliary head were missing in a published drawing."""
    graph = load_graph(spec)
    diagram = arrange(graph, View(depth=depth))

    drawn = [name for box in diagram.boxes() for name in box.members]
    assert sorted(drawn) == sorted(graph.nodes)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("depth", [0, 9])
def test_opened_networks_are_clean(spec: str, depth: int) -> None:
    drawn = lay_out(arrange(load_graph(spec), View(depth=depth)))

    assert_clean(drawn)


def test_frames_hold_their_boxes() -> None:
    drawn = lay_out(arrange(load_graph("inception_v4"), View(depth=1)))
    area = {b.box.id: b.area for b in drawn.boxes}

    assert len(drawn.frames) == 6
    for frame in drawn.frames:
        inside = [i.id for i in walk(frame.group.content) if isinstance(i, Box)]
        assert inside
        for name in inside:
            assert frame.area.x < area[name].x
            assert area[name].right < frame.area.right
            assert frame.area.y < area[name].y
            assert area[name].bottom < frame.area.bottom


def test_repeats_fold_only_where_the_copies_are_equal() -> None:
    """The last 8x8 block has no activation and is drawn alone."""
    graph = load_graph("released/inception_resnet_v2_slim")
    labels = [box.label for box in picture(graph).boxes()]
    counted = [label.partition(" x ")[0] for label in labels if " x " in label]

    assert counted == ["10", "20", "9"]
    assert labels.count("Inception-ResNet-C") == 1
    assert [b.label for b in picture(load_graph("inception_v4")).boxes() if " x " in b.label] == [
        "4 x Inception-A",
        "7 x Inception-B",
        "3 x Inception-C",
    ]


def test_a_repeat_of_unequal_layers_folds_in_runs() -> None:
    graph = network(
        "layers:\n  - {conv: 3x3, filters: 8 + 8 * (index // 2), repeat: 4, name: wide}\n"
    )
    labels = [box.label for box in arrange(graph).boxes()]

    assert labels == ["Input (32x32x8)", "2 x 3x3 Conv (8)", "3x3 Conv (16)", "3x3 Conv (16)"]


def test_unfold_draws_every_copy() -> None:
    labels = [b.label for b in picture(load_graph("inception_v4"), Options(fold="none")).boxes()]

    assert [labels.count(f"Inception-{letter}") for letter in "ABC"] == [4, 7, 3]


def test_a_loop_is_one_box_with_the_values_that_it_goes_over() -> None:
    """The seven lines of Table 2 of arXiv 1801.04381."""
    diagram = picture(load_graph("zoo/mobilenet_v2"), Options(fold="loops"))
    boxes = {box.label: box for box in diagram.boxes()}

    assert len(boxes) == 7
    assert len(diagram.arrows) == 6
    assert boxes["7 x Stage"].size == "Output: 7x7x320"
    assert boxes["7 x Stage"].notes == (
        "expand = 1, 6, 6, 6, 6, 6, 6",
        "n = 16, 24, 32, 64, 96, 160, 320",
        "count = 1, 2, 3, 4, 3, 3, 1",
        "s = 1, 2, 2, 2, 1, 2, 1",
    )


@pytest.mark.parametrize(
    ("repeated", "labels"),
    [
        ("{conv: 3x3, filters: 8 + 8 * index, repeat: 4, name: wide}", ["4 x wide"]),
        ("{conv: 3x3, filters: 8, repeat: 4}", ["4 x 3x3 Conv (8)"]),
        ("{conv: 3x3, filters: 32, repeat: 4}", ["4 x 3x3 Conv (32)"]),
        ("{layers: [{conv: 3x3, filters: n}], for: {n: [8, 4]}, name: b}", ["2 x b"]),
    ],
)
def test_a_loop_has_the_words_of_its_copies_or_its_name(repeated: str, labels: list[str]) -> None:
    graph = network(f"layers:\n  - {repeated}\n")
    found = [box.label for box in picture(graph, Options(fold="loops")).boxes()]

    assert found == ["Input (32x32x8)", *labels]


def test_a_copy_of_a_list_has_a_box_for_each_tensor_that_it_reads() -> None:
    graph = network("""layers:
  - {conv: 3x3, filters: 8, name: stem}
  - layers:
      - {conv: 3x3, filters: n, name: body}
      - {conv: 1x1, filters: n, from: stem, name: side}
      - {add: [body, side]}
    for: {n: [4, 16]}
    name: unit
""")
    diagram = picture(graph, Options(block="unit.1"))

    assert [box.label for box in diagram.boxes()] == [
        "Input (32x32x4)",
        "Input (32x32x8)",
        "3x3 Conv (16)",
        "1x1 Conv (16)",
        "+",
    ]
    assert len(diagram.arrows) == 4


def chain(count: int) -> str:
    lines = ["layers:", "  - {conv: 3x3, filters: 8, name: c0}"]
    for i in range(1, count):
        if i % 4 == 3:
            lines.append(f"  - {{add: [c{i - 1}, c{i - 3}], name: c{i}}}")
        else:
            lines.append(f"  - {{conv: 3x3, filters: 8, name: c{i}}}")
    return "\n".join(lines) + "\n"


def test_a_thousand_layers_with_skips_take_seconds() -> None:
    """Case K10; the limit leaves room for a busy machine."""
    graph = network(chain(1000))
    start = time.process_time()
    svg = render(graph, "svg")

    assert time.process_time() - start < 5
    assert svg.count(b"<g id=") == 1001


def test_numbers_in_the_boxes_add_up() -> None:
    """From a million on three digits are shown; the classifier is not the softmax's."""
    graph = load_graph("inception_v4")
    boxes = picture(graph, Options(show=("params",))).boxes()
    notes = {box.label: box.notes for box in boxes if box.notes}
    counts = [re.search(r"([0-9.,]+)( M)? parameters", note) for n in notes.values() for note in n]
    total = sum(float(c[1].replace(",", "")) * (1_000_000 if c[2] else 1) for c in counts if c)

    assert total == pytest.approx(42_679_816, abs=0.05e6 * len(notes) / 2)
    assert notes["Softmax"] == ("logits: 1.54 M parameters",)


def test_shapes_macs_and_receptive_field_by_hand() -> None:
    graph = network("layers:\n  - {conv: 3x3, filters: 4, stride: 2, padding: V, name: c}\n")
    boxes = {b.id: b for b in arrange(graph, View(show=("shapes", "macs", "rf"))).boxes()}

    # 15 x 15 outputs, each 4 filters of 3 x 3 x 8
    assert boxes["c"].notes == ("15x15x4", f"{15 * 15 * 4 * 3 * 3 * 8:,} MACs", "sees 3x3")


def test_the_scaling_of_a_residual_is_said_where_numbers_are() -> None:
    graph = load_graph("inception_resnet_v1")
    boxes = {b.id: b for b in picture(graph, Options(block="b.0", show=("shapes",))).boxes()}

    assert boxes["b.0.add"].notes == ("residual x 0.1", "17x17x896")


def test_a_broken_spec_is_drawn_with_both_shapes_in_red() -> None:
    graph, report, _ = draft_graph("printed/inception_v4")
    options = Options(figure=3, faults=find_faults(graph, report.diagnostics))
    diagram = picture(graph, options)
    failed = {(a.label, a.failed) for a in diagram.arrows if a.label}

    assert failed == {("69x69x192", True), ("35x35x192", True)}
    assert len(list(diagram.boxes())) == 17
    assert "69x69x192 with 35x35x192" in diagram.notes[0]
    svg = render(graph, "svg", options).decode()
    assert f'stroke="{THEMES["paper"].failed}" stroke-width="1.6"' in svg


def test_the_operand_that_the_others_outvote_is_the_red_one() -> None:
    _, faults = broken(
        "layers:\n"
        "  - branches:\n"
        "      a: [{conv: 1x1, filters: 8}]\n"
        "      b: [{conv: 1x1, filters: 8}]\n"
        "      c: [{conv: 3x3, filters: 8, padding: V}]\n"
        "    join: concat\n"
    )

    assert faults.edges == {("c.conv_3x3.act", "concat")}


def test_rebuilding_gives_the_same_bytes() -> None:
    for format in ("svg", "pdf", "png", "tikz", "json", "dot"):
        first, second = (render(load_graph("inception_v4"), format, Options(depth=9)) for _ in "ab")
        assert first == second, format
