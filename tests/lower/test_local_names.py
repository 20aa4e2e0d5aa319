"""`let`: names for values of a block and of the network."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.errors import CompileError, UsageError
from compiler.facts.labels import label_of
from compiler.graph import Graph
from compiler.ops import Conv2d
from compiler.pipeline import draft_graph, load_graph

SPEC = """\
network: net
params: {n: 16, wide: false}
let: {head: 4 * n, widths: "[n, head // 2]", act: relu if wide else silu}
input: {image: [3, 8, 8]}
defaults:
  conv: {activation: act}
blocks:
  unit:
    params: {expand: {type: int, default: 6}}
    let: {hidden: "round_to(in.channels * expand, 8)", half: hidden // 2}
    layers:
      - {conv: 1x1, filters: hidden, name: a}
      - {conv: 1x1, filters: "half if half > 50 else hidden", name: b}
layers:
  - {conv: 1x1, filters: n}
  - {block: unit, name: first}
  - {block: unit, name: second, with: {expand: 1}}
  - {conv: 1x1, filters: "head + widths[1]", name: last}
"""


def load(tmp_path: Path, old: str = "", new: str = "", **settings: object) -> Graph:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC.replace(old, new), encoding="utf-8")
    return load_graph(path, settings)


def convolutions(graph: Graph) -> list[int]:
    return [n.op.out_channels for n in graph.nodes.values() if isinstance(n.op, Conv2d)]


def test_names_are_worth_their_formulas(tmp_path: Path) -> None:
    # 16 * 6 = 96, half of it 48; then 96 channels, 96 and half of it 48; 64 + 32
    assert convolutions(load(tmp_path)) == [16, 96, 96, 96, 96, 96]
    # 32 * 6 = 192, 96; then 96, 96 (48 is below 50); 128 + 64
    assert convolutions(load(tmp_path, n=32)) == [32, 192, 96, 96, 96, 192]


def test_a_word_may_have_a_name(tmp_path: Path) -> None:
    def activations(graph: Graph) -> set[str]:
        return {str(vars(n.op).get("function")) for n in graph.nodes.values()} - {"None"}

    assert activations(load(tmp_path)) == {"silu"}
    assert activations(load(tmp_path, wide=True)) == {"relu"}


def test_labels_and_reasons_show_the_name(tmp_path: Path) -> None:
    graph = load(tmp_path)
    assert label_of(graph, "first.a", by_name=True) == "1x1 Conv (hidden SiLU)"
    assert label_of(graph, "last", by_name=True) == "1x1 Conv (head+widths[1] SiLU)"


def test_nothing_outside_sets_them(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        load(tmp_path, head=3)
    assert str(error.value) == "net has no parameter `head`; it has `n`, `wide`"


def refused(tmp_path: Path, old: str, new: str) -> tuple[str, str]:
    with pytest.raises(CompileError) as error:
        load(tmp_path, old, new)
    found = error.value.diagnostics[0]
    assert len(error.value.diagnostics) == 1
    return f"{found.span.line}:{found.span.column}: {found.message}", found.help


@pytest.mark.parametrize(
    ("old", "new", "message", "help"),
    [
        (
            "half: hidden // 2", "expand: hidden // 2, half: 3",
            "10:56: `expand` is a parameter here already", "call one of them otherwise",
        ),
        (
            "half: hidden // 2", "half: hiden // 2",
            "10:62: `half` of `let`: unknown name `hiden`",
            "did you mean `hidden`?; the parameters here are `expand`, `hidden`",
        ),
        (
            "hidden: \"round_to(in.channels * expand, 8)\", half: hidden // 2",
            "half: hidden // 2, hidden: 8 * expand",
            "10:17: `half` of `let`: unknown name `hidden`",
            "the parameters here are `expand`",
        ),
        (
            "half: hidden // 2", "half: first.channels",
            "10:62: `half` of `let`: unknown name `first.channels`",
            "there is no layer `first` before this one",
        ),
        (
            "{hidden:", "{float x: 1, hidden:",
            "10:11: the name of a value: `float x` is not a name: a letter or `_` first, then "
            "letters, digits or `_`",
            "write `float_x`",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, old: str, new: str, message: str, help: str) -> None:
    assert refused(tmp_path, old, new) == (message, help)


def test_a_name_that_nothing_reads(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    unread = SPEC.replace("half: hidden // 2", "half: hidden // 2, spare: 2 * half")
    path.write_text(unread.replace("let: {head", "let: {extra: n, head"), encoding="utf-8")
    assert [(d.severity, d.message) for d in draft_graph(path)[1].diagnostics] == [
        ("warning", "nothing in the network uses `extra`, which its `let` names"),
        ("warning", "nothing in block `unit` uses `spare`, which its `let` names"),
    ]


def test_a_variant_names_a_value_anew(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(SPEC, encoding="utf-8")
    path = tmp_path / "net.yaml"
    path.write_text(
        "extends: base.yaml\nlet: {head: n}\nblocks:\n  unit: {extends: unit, let: {half: 51}}\n",
        encoding="utf-8",
    )
    assert convolutions(load_graph(path)) == [16, 96, 51, 48, 51, 24]
