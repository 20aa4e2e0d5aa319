"""What is offered while one types: at every kind of place, in whole files and in broken ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.server.analysis import analyse
from compiler.server.completion import completions
from compiler.server.outline import place_at
from compiler.spec.model import LAYERS

NET = """network: net
input: {image: [3, 32, 32]}
params:
  width: {type: channels, default: 16, doc: of the stem}
blocks:
  pair:
    doc: two of them
    params: {w: 8}
    layers:
    - {conv: 3x3, filters: w, name: first}
    - conv: 3x3
      filters: 8
layers:
  - {conv: 3x3, filters: width, name: stem}
  - {block: pair, with: {w: 3}}
  - {concat: [stem, pair], name: both}
outputs: [both]
"""


def offered(tmp_path: Path, line: str) -> dict[str, str]:
    """Return what is offered at the `|` of a line that stands for the last layer: text -> doc."""
    file = tmp_path / "net.yaml"
    file.write_text(NET, encoding="utf-8")
    lines = NET.splitlines()
    at = line.index("|")
    lines[15] = line.replace("|", "")
    graph = analyse(str(file), {}).graph
    found = completions("\n".join(lines), 16, at + 1, graph)
    return {c.text: c.doc for c in found}


@pytest.mark.parametrize("line", ["  - {|", "  - |", "  - {con|: [stem, pair]}", "  - con|"])
def test_a_layer_begins_with_any_op(tmp_path: Path, line: str) -> None:
    assert set(offered(tmp_path, line)) == set(LAYERS)


def test_keys_of_the_op_that_are_not_there_yet(tmp_path: Path) -> None:
    found = offered(tmp_path, "  - {conv: 3x3, filters: 8, |")
    assert {"stride", "padding", "dilation", "groups", "name", "repeat"} <= set(found)
    assert not {"conv", "filters", "pool", "with"} & set(found)
    assert "each input channel" in found["groups"]


def test_an_op_may_stand_behind_other_keys(tmp_path: Path) -> None:
    found = offered(tmp_path, "  - {name: last, |")
    assert {*LAYERS, "repeat", "when", "label"} <= set(found)
    assert "name" not in found
    assert "stride" in offered(tmp_path, "  - {name: last, conv: 3x3, |")


def test_a_branch_is_a_list_or_has_a_condition(tmp_path: Path) -> None:
    found = offered(tmp_path, "  - {branches: {left: {|")
    assert set(found) == {"layers", "when"}
    assert found["when"].startswith("left out where false: what joins the branches does without it")


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("  - {block: |", {"pair": "two of them (w)"}),
        ("  - {block: pair, with: {|", {"w": ""}),
    ],
)
def test_blocks_and_their_parameters(tmp_path: Path, line: str, wanted: dict[str, str]) -> None:
    assert offered(tmp_path, line) == wanted


def test_arguments_are_of_the_block_at_the_cursor(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    text = NET.replace("layers:\n  - {conv", "  one:\n    params: {k: 1}\n    layers: [relu]\n"
                       "layers:\n  - {block: one, with: {k: 2}}\n  - {conv")  # fmt: skip
    file.write_text(text, encoding="utf-8")
    graph = analyse(str(file), {}).graph
    lines = text.splitlines()
    for block, wanted in (("one", {"k"}), ("pair", {"w"})):
        row = next(i for i, line in enumerate(lines, 1) if f"block: {block}" in line)
        column = lines[row - 1].index("with: {") + 8
        assert {c.text for c in completions(text, row, column, graph)} == wanted


@pytest.mark.parametrize("line", ["  - {concat: [stem, |", "  - {relu: true, from: |"])
def test_tensors_with_their_sizes(tmp_path: Path, line: str) -> None:
    found = offered(tmp_path, line)
    assert (found["stem"], found["pair"]) == ("32x32x16", "32x32x8")


def test_values_are_words_parameters_and_sizes(tmp_path: Path) -> None:
    found = offered(tmp_path, "  - {conv: 3x3, filters: |")
    assert found["width"] == "channels = 16 of the stem"
    assert "in.channels" in found
    assert {"relu", "gelu", "none"} <= set(offered(tmp_path, "  - {conv: 1x1, activation: |"))
    assert {"same", "V", "half"} <= set(offered(tmp_path, "  - {conv: 1x1, padding: |"))


def test_inside_a_block_its_own_names(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(NET, encoding="utf-8")
    graph = analyse(str(file), {}).graph
    text = NET.replace("      filters: 8\n", "      filters: \n")
    assert {c.text for c in completions(text, 12, 16, graph)} >= {"w", "in.channels"}
    assert "width" not in {c.text for c in completions(text, 12, 16, graph)}


@pytest.mark.parametrize(
    ("text", "path", "keys", "key"),
    [
        ("layers:\n  - branches:\n      left: [relu, {conv: 3x3, |", ("layers", "[]", "branches",
         "left", "[]"), ("conv",), ""),
        ("layers:\n  - branches:\n      left:\n        - relu\n    |", ("layers", "[]"),
         ("branches",), ""),
        ("blocks:\n  a:\n    layers:\n    - relu\n    |", ("blocks", "a"), ("layers",), ""),
        ("params:\n  k: {type: |", ("params", "k"), ("type",), "type"),
        ('layers: [{conv: 3x3, doc: "a, {b", fil|', ("layers", "[]"), ("conv", "doc"), ""),
        ("layers:\n  # - {conv\n  - {relu: true, na|", ("layers", "[]"), ("relu",), ""),
        ("title: a\n|", (), ("title",), ""),
        ("layers: [\n\n  # one\n  {conv: 3x3, fil|", ("layers", "[]"), ("conv",), ""),
    ],
)  # fmt: skip
def test_where_a_cursor_is(
    text: str, path: tuple[str, ...], keys: tuple[str, ...], key: str
) -> None:
    before = text[: text.index("|")]
    line = before.count("\n") + 1
    place = place_at(text.replace("|", ""), line, len(before) - before.rfind("\n"))
    assert (place.path, place.keys, place.key) == (path, keys, key)
