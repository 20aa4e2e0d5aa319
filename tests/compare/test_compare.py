"""What changed between two networks: by name, by structure, by what it breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.compare import Change, Comparison, as_data, as_markdown, as_text, compare
from compiler.graph import Graph
from compiler.pipeline import load_graph

BASE = """network: net
input: {image: [3, 32, 32]}
layers:
  - {conv: 3x3, filters: 8, stride: 2, name: first}
  - {layers: [{conv: 1x1, filters: 4}, relu, {conv: 3x3, filters: 8}], name: mid, repeat: 3}
  - {branches: {a: [{conv: 1x1, filters: 4}], b: [{max_pool: 3x3}]}, join: concat, name: split}
  - {global_avg_pool: true, name: pool}
  - {linear: 10, name: head}
"""


@pytest.fixture
def net(tmp_path: Path) -> Graph:
    return written(tmp_path, BASE)


def written(folder: Path, text: str) -> Graph:
    file = folder / "net.yaml"
    file.write_text(text, encoding="utf-8")
    return load_graph(file)


def changed(folder: Path, net: Graph, *replaced: tuple[str, str]) -> Comparison:
    """Compare the base with itself after replacements in its text."""
    text = BASE
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    return compare(net, written(folder, text))


def brief(change: Change) -> tuple[str, str, str]:
    return change.kind, change.category, change.name


def test_a_network_is_no_different_from_itself(net: Graph) -> None:
    found = compare(net, net)
    assert (found.changes, found.worst, found.tensors.lost) == ((), None, 0)
    assert as_text(found) == "net -> net\nno difference\n"
    assert as_markdown(found) == "### `net` → `net`\n\nNo difference.\n"


@pytest.mark.parametrize(
    ("old", "new", "category", "details"),
    [
        ("name: first}", "name: first, label: Entry}", "drawing", ["label: none -> Entry"]),
        ("stride: 2", "stride: 1", "numerics", ["stride: 2 -> 1"]),
        ("stride: 2,", "stride: 2, padding: V,", "numerics", ["padding: same -> V"]),
        ("[3, 32, 32]", "[3, 64, 32]", "interface", ["size: 32x32x3 -> 64x32x3"]),
        ("filters: 8, stride", "filters: 6, stride", "weights", ["out_channels: 8 -> 6"]),
        ("3x3, filters: 8, stride", "5x3, filters: 8, stride", "weights",
         ["kernel_size: 3 -> 5x3"]),
        ("stride: 2,", "stride: 2, bias: false,", "weights", ["bias: true -> false"]),
        ("linear: 10", "linear: 12", "weights", ["out_features: 10 -> 12"]),
    ],
)  # fmt: skip
def test_a_change_is_what_it_breaks(
    tmp_path: Path, net: Graph, old: str, new: str, category: str, details: list[str]
) -> None:
    found = changed(tmp_path, net, (old, new))
    assert found.worst == category
    own = next(c for c in found.changes if c.category == category)
    assert [str(detail) for detail in own.details] == details


def test_what_follows_a_width_is_named_by_its_tensors(tmp_path: Path, net: Graph) -> None:
    found = changed(tmp_path, net, ("filters: 8, stride", "filters: 6, stride"))
    assert [(c.name, *map(str, c.details)) for c in found.changes] == [
        ("first", "out_channels: 8 -> 6"),
        ("mid.0.conv_1x1", "weight: 4x8x1x1 -> 4x6x1x1"),
    ]
    assert found.changes[0].parameters == -2 * (3 * 9 + 1)
    assert found.changes[0].macs == -2 * 27 * 16 * 16
    assert dict(found.tensors.reshaped) == {
        "first.weight": ((8, 3, 3, 3), (6, 3, 3, 3)),
        "first.bias": ((8,), (6,)),
        "mid.0.conv_1x1.weight": ((4, 8, 1, 1), (4, 6, 1, 1)),
    }
    assert found.tensors.total == 2 * (1 + 2 * 3 + 1 + 1)


def test_copies_that_change_alike_are_one_change(tmp_path: Path, net: Graph) -> None:
    found = changed(tmp_path, net, ("relu", "gelu"))
    names = [brief(c) for c in found.changes]
    assert names == [("removed", "numerics", "mid.*.relu"), ("added", "numerics", "mid.*.gelu")]
    assert [c.copies for c in found.changes] == [3, 3]


def test_copies_that_are_added_are_whole(tmp_path: Path, net: Graph) -> None:
    found = changed(tmp_path, net, ("repeat: 3", "repeat: 5"))
    (change,) = found.changes
    assert (brief(change), change.copies, change.layers) == (("added", "weights", "mid.*"), 2, 3)
    assert change.parameters == 2 * ((8 + 1) * 4 + (4 * 9 + 1) * 8)
    assert (found.tensors.lost, len(found.tensors.fresh)) == (0, 8)


def test_a_block_with_another_name_is_renamed_whole(tmp_path: Path, net: Graph) -> None:
    found = changed(tmp_path, net, ("name: mid", "name: trunk"))
    assert [(c.was, c.name, c.layers, c.category) for c in found.changes] == [
        ("mid", "trunk", 9, "weights")
    ]
    assert found.tensors.lost == 12


def test_a_new_layer_is_no_change_of_the_one_behind_it(tmp_path: Path, net: Graph) -> None:
    found = changed(tmp_path, net, ("  - {global", "  - {avg_pool: 2x2, name: new}\n  - {global"))
    assert [brief(c) for c in found.changes] == [("added", "numerics", "new")]


def test_operands_in_another_order_are_other_numbers(tmp_path: Path, net: Graph) -> None:
    found = changed(
        tmp_path, net, ("{a: [{conv: 1x1, filters: 4}], b: [{max_pool: 3x3}]}",
                        "{b: [{max_pool: 3x3}], a: [{conv: 1x1, filters: 4}]}"),
    )  # fmt: skip
    (change,) = found.changes
    assert (brief(change), str(change.details[0])) == (
        ("changed", "numerics", "split.concat"),
        "reads in order: a.conv_1x1, b.max_pool_3x3 -> b.max_pool_3x3, a.conv_1x1",
    )


def test_sizes_that_follow_an_input_are_counted(tmp_path: Path, net: Graph) -> None:
    found = changed(tmp_path, net, ("[3, 32, 32]", "[3, 30, 32]"))
    name, before, after = found.resized[0]
    assert (name, before.paper, after.paper) == ("first", "16x16x8", "15x16x8")
    assert found.tensors.lost == 0


def test_structure_finds_layers_that_share_no_name(tmp_path: Path, net: Graph) -> None:
    text = BASE
    for name in ("first", "mid", "split", "pool", "head"):
        text = text.replace(f"name: {name}", f"name: {name}_x")
    found = compare(net, written(tmp_path, text))
    assert {(c.kind, c.was, c.name) for c in found.changes if c.category != "interface"} == {
        ("renamed", name, f"{name}_x") for name in ("first", "mid", "split", "pool", "head")
    }


def test_the_released_network_is_the_paper_s_with_kernels_and_operands_in_another_order() -> None:
    found = compare(load_graph("inception_v4"), load_graph("released/inception_v4_slim"))
    weights = [(c.name, str(c.details[0])) for c in found.changes if c.category == "weights"]
    assert weights == [
        ("b.*.long.conv_1x7", "out_channels: 192 -> 224"),
        ("b.*.long.conv_7x1", "out_channels: 224 -> 192"),
        ("b.*.long.conv_1x7_2", "out_channels: 224 -> 256"),
        ("b.*.long.conv_7x1_2", "out_channels: 256 -> 224"),
        ("c.*.long.conv_1x3", "out_channels: 448 -> 512"),
        ("c.*.long.conv_3x1", "out_channels: 512 -> 448"),
    ]
    assert {(t.what, t.more) for t in found.totals} == {
        ("parameters", 0), ("macs", 0), ("buffers", 0), ("operations", 0),
    }  # fmt: skip
    assert found.tensors.lost == 5 * (4 * 7 + 2 * 3)


def test_a_comparison_is_data(tmp_path: Path, net: Graph) -> None:
    data = as_data(changed(tmp_path, net, ("linear: 10", "linear: 12")))
    assert data["worst"] == "weights"
    assert data["changes"][0]["details"] == [
        {"what": "out_features", "before": "10", "after": "12", "category": "weights"}
    ]
    assert data["tensors"]["reshaped"] == {
        "head.weight": [[10, 12], [12, 12]],
        "head.bias": [[10], [12]],
    }


def test_a_comparison_is_text_and_markdown(tmp_path: Path, net: Graph) -> None:
    found = changed(tmp_path, net, ("linear: 10", "linear: 12"))
    assert (
        as_text(found)
        == """net -> net

weights: files of weights no longer load whole
  ~ head: Fully connected (12)
      out_features: 10 -> 12
      parameters +26, MACs +24

interface: code that calls the network
  ~ head: output
      size: 10 -> 12

             before    after
parameters    1,386    1,412  +26
MACs        309,368  309,392  +24

stage    output  parameters  sees
head   10 -> 12  130 -> 156   all

weights: of 18 tensors 2 no longer load, 0 are new
  head.weight  10x12 -> 12x12
  head.bias  10 -> 12
"""
    )
    assert (
        as_markdown(found)
        == """### `net` → `net`

**weights**: 2 changes; 2 of 18 tensors no longer load.

**weights: files of weights no longer load whole**

- `~` `head` Fully connected (12): out_features `10` → `12` (parameters +26, MACs +24)

**interface: code that calls the network**

- `~` `head` output: size `10` → `12`

| | before | after | |
|---|---:|---:|---:|
| parameters | 1,386 | 1,412 | +26 |
| MACs | 309,368 | 309,392 | +24 |

| stage | output | parameters | sees |
|---|---|---|---|
| `head` | 10 → 12 | 130 → 156 | all |
"""
    )
