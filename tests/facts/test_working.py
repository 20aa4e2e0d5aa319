"""The sizes of the input at which a network fits, and the messages that offer them."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.facts.summarize import summarize
from compiler.facts.working_sizes import least_of, working_sizes
from compiler.pipeline import draft_graph, load_graph

HALVES = """\
network: halves
input: {image: [3, SIZE]}
layers:
  - {conv: 3x3, filters: 8, name: a}
  - {max_pool: 2x2, stride: 2, padding: V}
  - {max_pool: 2x2, stride: 2, padding: V, name: b}
  - {conv: 3x3, filters: 8}
  - {upsample: 4, name: c}
  - {add: [a, c]}
"""


def helps(tmp_path: Path, text: str, size: str) -> list[str]:
    """Return the help of every error of a network with that input."""
    spec = tmp_path / "net.yaml"
    spec.write_text(text.replace("SIZE", size), encoding="utf-8")
    return [d.help for d in draft_graph(spec)[1].errors]


@pytest.mark.parametrize(
    ("size", "help"),
    [
        ("17, 17", "multiples of 4, such as 16x16 and 20x20"),
        ("5, 17", "multiples of 4, such as 4x16 and 8x20"),
        ("16, 18", "multiples of 4, such as 16x16 and 16x20"),
        ("H, W", "multiples of 4, such as 4x4, or 4*Hx4*W where they are left open"),
        ("2*H, W", "multiples of 4, such as 4x4, or 4*Hx4*W where they are left open"),
        ("H, 18", "multiples of 4, such as 4x16 and 4x20, or 4*Hx20 where they are left open"),
        ("H, H", "multiples of 4, such as 4x4, or 4*Hx4*H where they are left open"),
    ],
)
def test_a_grid_that_does_not_halve(tmp_path: Path, size: str, help: str) -> None:
    expected = f"these sizes fit: heights and widths that are {help}"
    assert helps(tmp_path, HALVES, size) == [expected]


def test_no_room_and_no_half(tmp_path: Path) -> None:
    assert helps(tmp_path, HALVES, "2, 17") == ["the smallest input of this network is 4x4"]


def test_sizes_that_fit_do_fit(tmp_path: Path) -> None:
    for size in ("16, 16", "20, 4", "4, 8"):
        assert helps(tmp_path, HALVES, size) == []


FPN = """\
network: fpn
input: {image: [3, SIZE]}
layers:
  - {conv: 7x7, filters: 8, stride: 2, padding: 3}
  - {max_pool: 3x3, stride: 2, padding: 1}
  - {conv: 3x3, filters: 16, stride: 2, padding: 1}
  - {conv: 3x3, filters: 16, stride: 2, padding: 1, name: c4}
  - {conv: 3x3, filters: 16, stride: 2, padding: 1, name: c5}
  - {upsample: 2, name: up}
  - {add: [up, c4], name: p4}
"""


def test_feature_pyramid(tmp_path: Path) -> None:
    """`c5` is ceil(H/32), twice that is `c4` = ceil(H/16) where ceil(H/16) is even."""
    assert helps(tmp_path, FPN, "264, 256") == [
        "these sizes fit: heights and widths that are at most 15 less than multiples of 32, such"
        " as 256x256 and 273x256"
    ]
    assert [helps(tmp_path, FPN, f"{h}, 273") for h in (256, 273, 288)] == [[], [], []]


CEIL_AND_FLOOR = """\
network: halves
input: {image: [3, SIZE]}
layers:
  - {conv: 1x1, filters: 8, stride: [1, 2], name: up}
  - {max_pool: 1x2, stride: [1, 2], padding: V, from: image}
  - {concat: [up, max_pool_1x2]}
"""


def test_one_axis_alone(tmp_path: Path) -> None:
    assert helps(tmp_path, CEIL_AND_FLOOR, "15, 17") == [
        "these sizes fit: heights of any size and widths that are even, such as 15x16 and 15x18"
    ]


def test_another_stride_keeps_its_own_help(tmp_path: Path) -> None:
    (help,) = helps(tmp_path, HALVES.replace("upsample: 4", "upsample: 3"), "17, 17")
    assert "sizes fit" not in help  # 3x3 alone would


def test_channels_differ_as_well(tmp_path: Path) -> None:
    text = HALVES.replace("filters: 8}\n  - {upsample", "filters: 9}\n  - {upsample")
    assert helps(tmp_path, text, "17, 17") == [
        "project `c` with a 1x1 convolution to 8, and of the grids these sizes fit: heights and "
        "widths that are multiples of 4, such as 16x16 and 20x20"
    ]
    own = ["project `c` with a 1x1 convolution to 8"]
    assert helps(tmp_path, text, "16, 16") == own


@pytest.mark.parametrize(
    "more",
    [
        "\n  - {conv: 3x3, filters: 8, stride: 2, from: a, name: e}\n  - {concat: [a, e]}",
        "\n  - {linear: 3, from: f, name: g}\n",
    ],
    ids=["another stride elsewhere", "a linear layer on a flattened map"],
)
def test_what_stands_beside_a_grid_that_does_not_halve(tmp_path: Path, more: str) -> None:
    text = HALVES + "  - {flatten: true, from: image, name: f}" + more
    assert helps(tmp_path, text, "17, 17")[0] == (
        "these sizes fit: heights and widths that are multiples of 4, such as 16x16 and 20x20"
    )


STATED = """\
network: stated
input: {image: [3, SIZE]}
layers:
  - {conv: 3x3, filters: 8, stride: 2, size: 56x56x8, name: a}
  - {conv: 3x3, filters: 8, stride: 2, size: 28x28x8, name: b}
"""
OWN = "correct the layers, or the stated size"


def test_sizes_at_which_layers_are_as_is_stated(tmp_path: Path) -> None:
    """ceil(H/2) is 56 for 111 and 112."""
    fit = "heights and widths of 111 to 112"
    assert (
        helps(tmp_path, STATED, "100, 100")
        == [f"these sizes fit: {fit}, such as 111x111; or {OWN}"] * 2
    )
    assert (
        helps(tmp_path, STATED, "112, 99")
        == [f"these sizes fit: {fit}, such as 112x111; or {OWN}"] * 2
    )


@pytest.mark.parametrize("stated", ["28x28x9", "56x56x8"])
def test_a_stated_size_that_no_input_gives(tmp_path: Path, stated: str) -> None:
    """Other channels, or a grid that does not halve the one stated before it."""
    assert helps(tmp_path, STATED.replace("28x28x8", stated), "112, 112") == [OWN]


def test_stated_sizes_and_a_join(tmp_path: Path) -> None:
    text = HALVES.replace("filters: 8, name: a", "filters: 8, name: a, size: 20x20x8")
    assert helps(tmp_path, text, "17, 17") == [
        f"these sizes fit: heights and widths of 20, such as 20x20; or {OWN}",
        "these sizes fit: heights and widths of 20, such as 20x20",
    ]
    # What is stated and never fits leaves the sizes of the joins.
    assert helps(tmp_path, text.replace("20x20x8", "21x21x8"), "17, 17") == [
        OWN,
        "these sizes fit: heights and widths that are multiples of 4, such as 16x16 and 20x20",
    ]


def test_a_structure_that_depends_on_the_size_is_tried(tmp_path: Path) -> None:
    text = HALVES.replace(
        "{add: [a, c]}", "{add: [a, c], name: z}\n  - {conv: 1x1, filters: in.height}"
    )
    (help,) = helps(tmp_path, text, "17, 17")
    assert help == (
        "these sizes fit: heights and widths that are multiples of 4, such as 16x16 and 20x20"
    )


def test_a_grid_that_stands_in_numbers(tmp_path: Path) -> None:
    layers = "[{adaptive_avg_pool: 2x2, name: a}, {max_pool: 5x5, stride: 5, from: image}]"
    text = f"network: t\ninput: {{image: [3, SIZE]}}\nlayers: {layers}\n"
    text = text.replace("}]", "}, {add: [a, max_pool_5x5]}]")
    assert helps(tmp_path, text, "17, 30") == [
        "these sizes fit: heights and widths of 6 to 10, such as 10x10"
    ]


@pytest.mark.parametrize(
    "spec",
    [
        "inception_v4",
        "inception_resnet_v1",
        "inception_resnet_v2",
        "released/inception_resnet_v2_slim",
    ],
)
@pytest.mark.parametrize("size", [[], ["3xHxW"]], ids=["numbers", "letters"])
def test_the_smallest_input_is_75(spec: str, size: list[str]) -> None:
    working = working_sizes(load_graph(spec, inputs=size))
    assert working is not None
    assert least_of(working) == {"image": (75, 75)}


def test_rests_beyond_the_limit_are_not_solved(tmp_path: Path) -> None:
    """Each join alone has a short period, all together 127 * 113 * 109 * 107."""
    layers = "".join(
        f"  - {{max_pool: 2x2, stride: {n}, padding: V, from: image, name: p{n}}}\n"
        f"  - {{upsample: {n}, name: u{n}}}\n  - {{add: [u{n}, image], name: a{n}}}\n"
        for n in (127, 113, 109, 107)
    )
    text = "network: t\ninput: {image: [3, SIZE]}\nlayers:\n" + layers
    found = helps(tmp_path, text, "500, 500")
    assert len(found) == 4
    assert not any("sizes fit" in help for help in found)


def test_a_graph_too_large_to_solve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETDRAFT_LIMIT_SOLVED_OPERATIONS", "100")
    assert working_sizes(load_graph("inception_v4")) is None


STREAMS = """\
network: streams
input: {image: [3, 64, 64], SIZE}
layers:
  - {conv: 3x3, filters: 8, stride: 2, from: image, name: a}
  - {conv: 3x3, filters: 8, stride: STRIDE, from: depth, name: b}
  - {add: [a, b]}
"""


@pytest.mark.parametrize(
    ("size", "stride", "given", "help"),
    [
        ("64, 64", "2", "3x32x48", "`depth` kept its 64x64; {it} depth=1x32x48"),
        ("64, 64", "2", "3xHxW", "`depth` kept its 64x64; {it} depth=1xHxW"),
        ("32, 32", "1", "3x32x32", "`depth` kept its 32x32; {it} depth=1x16x16"),
        ("64, 64", "2", "depth=1x128x128", "`image` kept its 64x64; {it} image=3x128x128"),
        ("32, 32", "2", "3x48x48", "these sizes fit: `image` with heights and widths of 31 to 32, "
         "such as 32x32; or `depth` with heights and widths of 47 to 48, such as 47x47; or project "
         "`a` with a 1x1 convolution to 8 that has the same total stride"),
    ],
)  # fmt: skip
def test_an_input_that_keeps_its_size(
    tmp_path: Path, size: str, stride: str, given: str, help: str
) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(STREAMS.replace("SIZE", f"depth: [1, {size}]").replace("STRIDE", stride))
    said = help.format(it="give it the size too, --input")
    assert [d.help for d in draft_graph(spec, inputs=[given])[1].errors] == [said]


TWO = """\
network: two
input: {a: [3, FIRST], b: [3, SECOND]}
layers:
  - {conv: 3x3, filters: 8, stride: 2, padding: PADDING, from: a, name: x}
  - {conv: 3x3, filters: 8, stride: 2, from: x, name: y}
  - {conv: 3x3, filters: 8, stride: STRIDE, from: b, name: z}
  - {add: [y, z], name: sum}
"""
PROJECT = "or project `y` with a 1x1 convolution to 8 that has the same total stride"


def two(folder: Path, first: str, second: str, stride: int = 2, padding: str = "same") -> Path:
    spec = folder / "two.yaml"
    text = TWO.replace("FIRST", first).replace("SECOND", second)
    spec.write_text(text.replace("STRIDE", str(stride)).replace("PADDING", padding))
    return spec


@pytest.mark.parametrize(
    ("first", "second", "stride", "help"),
    [
        # ceil(a / 4) = ceil(b / s)
        ("H, W", "A, B", 2, "these sizes fit: `a`: 2*Hx2*W and `b`: HxW, such as 2x2 and 1x1"),
        ("H, W", "A, B", 3, "these sizes fit: `a`: 4*Hx4*W and `b`: 3*Hx3*W, such as 4x4 and 3x3"),
        ("H, W", "A, B", 4, "these sizes fit: `a`: HxW and `b`: HxW, such as 1x1 and 1x1"),
        ("6*H, W", "A, B", 2, "these sizes fit: `a`: 2*Hx2*W and `b`: HxW, such as 2x2 and 1x1"),
        ("H, H", "A, A", 2, "these sizes fit: `a`: 2*Hx2*H and `b`: HxH, such as 2x2 and 1x1"),
        ("H, W", "A, 32", 2, "use the same letters in the inputs: `H`, `W` and `A` are open on "
         "their own"),
        ("H, W", "16, 16", 2, "these sizes fit: `a` with heights and widths of 29 to 32, such as "
         f"29x29; {PROJECT}"),
        ("64, 64", "H, W", 2, "these sizes fit: `b` with heights and widths of 31 to 32, such as "
         f"31x31; {PROJECT}"),
    ],
)  # fmt: skip
def test_inputs_that_are_open_in_letters_of_their_own(
    tmp_path: Path, first: str, second: str, stride: int, help: str
) -> None:
    spec = two(tmp_path, first, second, stride)
    assert [d.help for d in draft_graph(spec)[1].errors] == [help]


@pytest.mark.parametrize("join", ["add: [x, y]", "concat: [x, y]"])
def test_letters_that_no_multiples_bring_together(tmp_path: Path, join: str) -> None:
    spec = tmp_path / "two.yaml"
    spec.write_text(
        "network: two\ninput: {a: [3, H, W], b: [3, A, B]}\nlayers:\n"
        "  - {conv: 3x3, filters: 8, padding: V, from: a, name: x}\n"
        f"  - {{conv: 3x3, filters: 8, from: b, name: y}}\n  - {{{join}}}\n"
    )
    assert [d.help for d in draft_graph(spec)[1].errors] == [
        "use the same letters in the inputs: `H`, `W` and `A`, `B` are open on their own"
    ]


def test_letters_that_inputs_share_in_other_multiples(tmp_path: Path) -> None:
    # ceil(2 * H / 2 / 2) = ceil(H / 2); behind the V, (2 * H - 1) // 2 = H - 1, half of it
    # rounded up is ceil(H / 2) for even heights alone: H = 2 gives 1 and 1, H = 3 gives 1 and 2.
    fitting = load_graph(two(tmp_path, "2*H, 2*W", "H, W"))
    assert summarize(fitting).fits == (
        "`a`: heights and widths that are even; `b`: heights and widths of any size"
    )
    errors = draft_graph(two(tmp_path, "2*H, 2*W", "H, W", padding="V"))[1].errors
    assert [d.help for d in errors] == [
        "these sizes fit: `a`: 4*Hx4*W and `b`: 2*Hx2*W, such as 4x4 and 2x2"
    ]


def test_sizes_that_fit_by_chance_alone_are_not_offered(tmp_path: Path) -> None:
    spec = tmp_path / "t.yaml"  # half of 1, rounded up, is 1
    spec.write_text(
        "network: t\ninput: {a: [3, H, W]}\nlayers:\n"
        "  - {conv: 3x3, filters: 3, stride: 2}\n  - {concat: [conv_3x3, a]}\n"
    )
    assert [d.help for d in draft_graph(spec)[1].errors] == [
        "give the branches the same total stride, or pad them alike"
    ]
