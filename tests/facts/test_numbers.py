"""A network's numbers as formulas: frames that are written once, copies folded, what is decided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compiler.facts.copies import settled_from
from compiler.facts.numbers import Frames
from compiler.facts.numbers.terms import formula_json
from compiler.pipeline import Compilation
from compiler.text import parse

SPEC = """\
network: net
input: {image: [3, side, W]}
params: {side: 32, n: {type: channels, default: 8}, deep: true}
blocks:
  unit:
    params: {k: {type: channels}, half: {type: int, default: k // 2}}
    layers:
      - {conv: 3x3, filters: half, when: half > 2, name: a}
      - {conv: 1x1, filters: k, name: b}
layers:
  - {conv: 3x3, filters: n, name: stem}
  - {block: unit, repeat: 3, with: {k: n}}
  - {conv: 1x1, filters: 4, when: deep, name: last}
"""


def frames(text: str, folder: Path) -> tuple[Frames, Any]:
    path = folder / "net.yaml"
    path.write_text(text)
    compilation = Compilation(path)
    made = Frames(compilation.draft, compilation.spec)
    return made, made.write()


def test_copies_of_a_block_are_one_body_in_their_own_names(tmp_path: Path) -> None:
    made, program = frames(SPEC, tmp_path)
    block, copy, network = program["bodies"]
    assert program["arguments"] == {"side": 32, "n": 8, "deep": True}
    assert block == {
        "whole": {"k": 1, "half": -(10**7)},
        "names": [["half", ["//", "k", 2]]],
        "members": [[".a", 0, [0], ["half"]], [".b", 1, [".a"], ["k"]]],
        "checks": [[["<", 2, "half"], True, "half > 2"]],
    }
    assert copy == {"members": [["", {"body": 0, "reads": [-1], "arguments": {"k": "n"}}]]}
    assert network["members"] == [
        ["image", None, [3, "side", None]],
        ["stem", 0, ["image"], ["n"]],
        ["unit", {"count": 3, "was": 3, "enters": "stem", "copies": [[1, [], ".b"]]}],
        ["last", 1, ["unit"], [4]],
    ]
    assert "checks" not in network  # `deep` is no number: the page does not change it
    assert {name for name, _ in made.live if name.startswith("unit.2")} == {"unit.2.a", "unit.2.b"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("4 * n", ["*", 4, "n"]),
        ("2 * 3 + 0.5", ["q", "13", "2"]),
        ("relu if n > 2 else none", ["if", ["<", 2, "n"], ["'", "relu"], ["'", "none"]]),
        ("n >= 2 and n != 5", ["if", _not := ["if", ["<", "n", 2], False, True],
                               ["if", ["==", "n", 5], False, True], False]),
        ("ceil(n / 3)", ["*", -1, ["//", ["*", -1, ["/", "n", 3]], 1]]),
        ("other", ["?"]),
        ("round_to(n, n)", ["?"]),
        ("max([n, 3])", ["max", "n", 3]),
    ],
)  # fmt: skip
def test_formula_is_written_with_a_few_operations(text: str, wanted: Any) -> None:
    assert formula_json(parse(text), frozenset({"n"}), str) == wanted


@pytest.mark.parametrize(
    ("formula", "kept"),
    [
        ("n", 1),
        ("n if index == 0 else 2 * n", 2),
        ("n if index < 2 else 8", 4),
        ("n * (index + 1)", 0),
    ],
)
def test_copies_are_folded_from_where_their_formulas_are_alike(
    formula: str, kept: int, tmp_path: Path
) -> None:
    text = f"""\
network: net
input: {{image: [3, 32, 32]}}
params: {{n: {{type: channels, default: 8}}}}
layers:
  - {{conv: 3x3, filters: "{formula}", name: many, repeat: 5}}
"""
    made, program = frames(text, tmp_path)
    assert [repeat.kept for repeat in made.repeats.values()] == [kept] * bool(kept)
    assert settled_from(made.graph, made.graph.regions["many"].members) == (
        kept - 1 if kept else None
    )
    (member,) = program["bodies"][program["root"]]["members"][1:]
    assert isinstance(member[1], list) is (kept == 0)


@pytest.mark.parametrize(
    "reader",
    ["{concat: [many.1, many]}", "{add: [many.2, many]}", "{conv: 1x1, filters: many.0.channels}"],
)
def test_count_is_fixed_where_a_copy_is_read_by_name(reader: str, tmp_path: Path) -> None:
    text = f"""\
network: net
input: {{image: [8, 32, 32]}}
layers:
  - {{conv: 3x3, filters: 8, name: many, repeat: 3}}
  - {reader}
"""
    made, _ = frames(text, tmp_path)
    assert made.repeats["many"].is_fixed


def test_default_that_blocks_inside_take_is_a_formula_of_the_network(tmp_path: Path) -> None:
    text = """\
network: net
input: {image: [8, 32, 32]}
params: {growth: {type: channels, default: 8}}
defaults: {block: {with: {g: 2 * growth}}}
blocks:
  inner: {params: {g: {type: channels}}, layers: [{conv: 3x3, filters: g}]}
  outer: {layers: [{block: inner}]}
layers: [{block: outer}]
"""
    _, program = frames(text, tmp_path)
    inner = program["bodies"][1]["members"][0][1]["arguments"]
    assert inner == {"g": ["net", ["*", 2, "growth"]]}
    assert "checks" not in program["bodies"][program["root"]]


def test_variables_of_a_loop_are_always_the_same(tmp_path: Path) -> None:
    text = """\
network: net
input: {image: [8, 32, 32]}
blocks:
  unit: {params: {p: {type: padding}}, layers: [{conv: 3x3, filters: 8, padding: p}]}
layers:
  - {block: unit, for: {p: [V, [[0, 1], [1, 2]]]}, name: units}
"""
    _, program = frames(text, tmp_path)
    assert '"?"' not in json.dumps(program)
    assert all("checks" not in body for body in program["bodies"])


def test_copies_of_which_some_are_not_there_are_not_folded(tmp_path: Path) -> None:
    text = """\
network: net
input: {image: [8, 32, 32]}
layers:
  - {conv: 3x3, filters: 8, name: first}
  - {layers: [{conv: 3x3, filters: 8, from: first}], name: ends, repeat: 3}
  - {conv: 3x3, filters: 8, name: many, repeat: 3}
outputs: [{name: o, from: many.1}]
"""
    made, program = frames(text, tmp_path)
    assert [made.graph.regions[name].members for name in ("ends", "many")] == [
        ("ends.2",),
        ("many.0", "many.1"),
    ]
    assert made.repeats == {}
    assert [member[0] for member in program["bodies"][0]["members"]] == [
        *("image", "first", "ends", "many")
    ]
