"""Heat maps, hidden layers, and what tells instances of one block apart."""

from __future__ import annotations

import re
from functools import cache

import pytest

from compiler.errors import UsageError
from compiler.graph import Graph
from compiler.pipeline import load_graph
from tests.viz.corpus import WRITTEN
from tests.viz.geometry import clipped, overlaps, struck, touched
from tests.viz.networks import network
from viz.diagram.annotate import readable
from viz.diagram.arrange import arrange
from viz.diagram.box_builder import View
from viz.diagram.heat import HEATS
from viz.diagram.parts import Box, Legend
from viz.layout.lay_out import lay_out
from viz.render import WRITERS, Options, render
from viz.style.theme import THEMES

PAIR = """\
layers:
  - {conv: 1x1, filters: 4, name: small}
  - {conv: 3x3, filters: 16, name: large, activation: none}
  - {max_pool: 2x2, stride: 2, name: pool}
"""


@cache
def graph(name: str) -> Graph:
    return network(WRITTEN[name]) if name in WRITTEN else load_graph(name)


def boxes(text: str, **view: object) -> dict[str, Box]:
    return {b.id: b for b in arrange(network(text), View(**view)).boxes()}  # type: ignore[arg-type]


def test_heat_is_the_part_of_the_largest_box() -> None:
    """32 + 8 parameters of the 1x1 with its norm, 576 + 32 of the 3x3 with its."""
    heats = {name: box.heat for name, box in boxes(PAIR, heat="params").items()}

    assert heats == {"image": 0, "small": 40 / 608, "large": 1, "pool": 0}


@pytest.mark.parametrize(
    ("what", "largest"),
    [
        ("params", "608 parameters"),
        ("macs", f"{32 * 32 * 16 * 4 * 9:,} MACs"),
        # conv and norm of the larger layer, 16 maps of 32 x 32 each, 4 bytes a number
        ("memory", f"{2 * 16 * 32 * 32 * 4:,} bytes of activations, one input of 32 bits"),
        ("rf", "4 pixels of receptive field, longer side"),
    ],
)
def test_the_legend_says_what_the_hottest_box_has(what: str, largest: str) -> None:
    legend = arrange(network(PAIR), View(heat=what)).legend

    assert legend
    assert f"{legend.largest} {legend.title}" == largest


def test_in_a_frame_of_copies_a_box_counts_once() -> None:
    view = View(depth=1, heat="params", scope="")
    placed = {b.id: b.heat for b in arrange(graph("inception_v4"), view).boxes()}

    # A 1x1 convolution of Figure 4 from 384 to 96 channels, of all boxes the classifier is largest.
    assert placed["a.0.single.conv_1x1"] == pytest.approx(37_056 / 1_537_000, rel=1e-3)


def test_what_depends_on_an_open_size_has_no_heat() -> None:
    open_sizes = load_graph("inception_v4", inputs=["3xHxW"])
    heats = {b.heat for b in arrange(open_sizes, View(heat="macs")).boxes()}

    assert None in heats


@pytest.mark.parametrize("theme", list(THEMES))
@pytest.mark.parametrize("format", ["svg", "pdf", "tikz", "dot"])
def test_every_format_and_theme_has_heat_and_legend(format: str, theme: str) -> None:
    options = Options(heat="params", theme=theme)
    data = render(graph("inception_v4"), format, options)

    assert data != render(graph("inception_v4"), format, Options(theme=theme))
    if format != "pdf":
        assert b"20.6 M parameters" in data  # the seven Inception-B


@pytest.mark.parametrize("what", HEATS)
def test_a_heat_map_is_clean(what: str) -> None:
    layout = lay_out(arrange(graph("unet"), View(depth=9, heat=what)))

    assert (overlaps(layout), clipped(layout), touched(layout), struck(layout)) == ([], [], [], [])
    assert [swatch.heat for swatch in layout.swatches][::7] == [0, 1]
    assert all(swatch.area.bottom < layout.height for swatch in layout.swatches)


def test_no_heat_map_of_a_definition_whose_numbers_depend_on_the_instance() -> None:
    with pytest.raises(UsageError, match="its numbers depend on the instance"):
        render(graph("unet"), "svg", Options(block="double_conv", heat="params"))


def test_hidden_layers_have_boxes_on_request() -> None:
    """Batch norm and relu of every convolution, and Figure 9's classifier."""
    shown = boxes(PAIR, show=("hidden",))
    assert [box.label for box in shown.values()] == [
        "Input (32x32x8)",
        "1x1 Conv (4 no bias)",
        "Batch norm",
        "Relu activation",
        "3x3 Conv (16 no bias)",
        "Batch norm",
        "2x2 MaxPool (stride 2)",
    ]
    overview = arrange(graph("inception_v4"), View(show=("hidden",)))
    assert [b.label for b in overview.boxes()][-2:] == ["Fully connected (1000)", "Softmax"]


def test_the_scaling_of_a_residual_has_a_box_on_request() -> None:
    """It ends the branch that it scales, as in Figure 20, and the shortcut is straight."""
    view = View(scope="b.0", show=("hidden",))
    diagram = arrange(graph("inception_resnet_v1"), view)
    labels = {b.label: b.id for b in diagram.boxes()}
    middles = {b.box.id: b.area.x + b.area.width / 2 for b in lay_out(diagram).boxes}

    scaling = labels["Activation Scaling (0.1)"]
    assert [a.head for a in diagram.arrows if a.tail == scaling] == ["b.0.add"]
    assert middles["b.0:0"] == middles["b.0.add"] < middles[scaling]


def test_every_operation_is_in_one_box_when_all_are_shown() -> None:
    diagram = arrange(graph("inception_v4"), View(depth=9, show=("hidden",), fold="none"))
    members = [name for box in diagram.boxes() for name in box.members]

    assert sorted(members) == sorted(graph("inception_v4").nodes)
    assert all(len(box.members) == 1 for box in diagram.boxes())


def test_counts_are_written_as_people_read_them() -> None:
    counts = (0, 999_999, 1_000_000, 12_345_678, 999_999_999, 5_930_000_000, 3 * 10**12)
    words = ["0", "999,999", "1.00 M", "12.3 M", "1000 M", "5.93 G", "3.00 T"]

    assert [readable(count) for count in counts] == words


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("zoo/googlenet", ["Inception 3a", "Inception 3b", "Inception 4a"]),
        ("unet", ["Double conv (64)", "Double conv (128)", "Double conv (256)"]),
        ("fpn", ["Head 5", "Head 4", "Head 3"]),
        ("zoo/inception_v3", ["Inception-A (mixed_5b)", "Inception-A (mixed_5c)"]),
        ("inception_v4", ["Stem", "4 x Inception-A", "Reduction-A"]),
    ],
)
def test_instances_of_one_block_are_told_apart(name: str, labels: list[str]) -> None:
    drawn = [b.label for b in arrange(graph(name)).boxes() if b.region]

    assert [label for label in drawn if label in labels] == sorted(labels, key=drawn.index)
    assert set(labels) <= set(drawn)
    assert len(drawn) == len(set(drawn))


REPEATED = """\
blocks:
  stage: {params: {n: {type: channels}}, layers: [{conv: 1x1, filters: n}]}
layers: [{block: stage, repeat: 2, name: stage, with: {n: 8 * (index + 1)}}]
"""


def test_copies_of_a_repeat_that_differ_are_told_apart_by_their_value_or_number() -> None:
    by_value = [b.label for b in arrange(network(REPEATED)).boxes() if b.region]
    alike = REPEATED.replace("{conv: 1x1, filters: n}", "{conv: 1x1, filters: n}, relu").replace(
        "8 * (index + 1)", "8 + 0 * index"
    )
    folded = [b.label for b in arrange(network(alike)).boxes() if b.region]

    assert by_value == ["stage (8)", "stage (16)"]
    assert folded == ["2 x stage"]


def test_a_parameter_that_counts_no_channels_is_named() -> None:
    frames = [g.label for g in arrange(graph("zoo/resnet18"), View(depth=2)).groups()]

    assert frames[3:6] == ["Stage 2", "Basic block (s = 2)", "Basic block (s = 1)"]


def test_no_format_is_missing_here() -> None:
    assert set(WRITERS) == {"svg", "pdf", "png", "tikz", "json", "dot"}
    assert Legend("MACs", "5.93 G").largest == "5.93 G"
    assert re.fullmatch("#[0-9a-f]{6}", THEMES["paper"].warmth(0.5))
