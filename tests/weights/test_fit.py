"""What is said of tensors that do not fit, and of networks that are wired otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.build import load_graph
from compiler.weights.fit import Size, compare, sentences, transposition
from compiler.weights.mapping import parse_map
from compiler.weights.match import match_tensors
from compiler.weights.wiring import wiring_differences


@pytest.mark.parametrize(
    ("wanted", "found", "words"),
    [
        ((224, 192, 1, 7), (224, 192, 7, 1), "the kernel is transposed (width x height)"),
        ((64, 32, 3, 3), (32, 64, 3, 3), "transposed (inputs first)"),
        ((64, 32, 1, 7), (1, 7, 32, 64), "transposed (TensorFlow's height x width x in x out)"),
        ((64, 32, 3, 5), (64, 3, 5, 32), "transposed (channels last)"),
        ((64, 32, 3, 5), (3, 5, 64, 32), "transposed"),
        ((1000, 1536), (1536, 1000), "transposed (inputs x outputs)"),
        ((1000, 1536), (1001, 1536), ""),
        ((64, 32, 3, 3), (64, 32, 5, 5), ""),
        ((64, 32, 3, 3), (64, 32, 3, 3), ""),
        ((64,), (32,), ""),
        ((64, 32, 1, 1), (64, 32), ""),
    ],
)
def test_transposition(wanted: Size, found: Size, words: str) -> None:
    assert transposition(wanted, found) == words


def test_every_misfit_is_named() -> None:
    wanted = {"a.weight": (4, 3, 1, 7), "a.bias": (4,), "n.num_batches_tracked": (), "b": (2,)}
    found = {"a.weight": (4, 3, 7, 1), "b": (3,), "c": ()}
    assert sentences(compare(wanted, found)) == [
        "`a.weight` is 4x3x7x1 where the network has 4x3x1x7: "
        "the kernel is transposed (width x height)",
        "`a.bias` is missing; the network needs 4",
        "`b` is 3 where the network has 2",
        "`c` is scalar and has no place in the network",
    ]


def test_long_lists_are_cut_by_kind() -> None:
    lines = sentences(compare({"a": (1,)}, {f"x{i}": (2,) for i in range(30)}), most=20)
    assert len(lines) == 22
    assert lines[-1] == "and 10 more tensors: without a place"


DATA = {
    "map": "a:b",
    "spec": "s",
    "source": "",
    "layout": "",
    "classes": 2,
    "parts": {"conv": "conv", "bn": "norm"},
    "heads": ["head"],
}


def test_captures_count_on_both_sides() -> None:
    section = {"theirs": "f.{i+6}", "ours": "a.{i}", "count": 2, "units": {"x.0": "y"}}
    weights = parse_map({**DATA, "sections": [section, {"layers": {"fc": "head"}}]})
    assert weights.layers == {
        "f.6.x.0.conv": "a.0.y.conv",
        "f.6.x.0.bn": "a.0.y.norm",
        "f.7.x.0.conv": "a.1.y.conv",
        "f.7.x.0.bn": "a.1.y.norm",
        "fc": "head",
    }


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([{"x": "a"}, {"y": "a"}], "`y` goes to `a`, but there is also from `x`"),
        ([{"x": "a"}, {"x": "b"}], "`x` goes to `b`, but there is also `a`"),
    ],
)
def test_a_map_that_is_not_one_to_one_is_refused(layers: list[dict[str, str]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_map({**DATA, "sections": [{"layers": pairs} for pairs in layers]})


@pytest.mark.parametrize(("drop", "skip"), [(True, 1), (False, None)])
def test_the_background_class(drop: bool, skip: int | None) -> None:
    weights = parse_map({**DATA, "sections": [{"layers": {"fc": "head"}}]})
    match = match_tensors(weights, {"head.weight": (2, 5)}, {"fc.weight": (3, 5)}, drop)
    assert [move.skip for move in match.moves] == ([] if skip is None else [skip])
    if skip is None:
        assert match.misfits[0].sentence == (
            "`head.weight` (in the file `fc.weight`) is 3x5 where the network has 2x5: "
            "3 classes, the first of them TensorFlow's background class"
        )


def test_two_tensors_for_one_place() -> None:
    data = {**DATA, "sections": [{"layers": {"fc": "head"}}], "aliases": {"last": "fc"}}
    found = {"fc.weight": (2, 5), "last.weight": (2, 5)}
    match = match_tensors(parse_map(data), {"head.weight": (2, 5)}, found)
    assert [misfit.source for misfit in match.misfits] == ["last.weight"]


def test_another_order_of_a_concat_shows_though_every_shape_fits(tmp_path: Path) -> None:
    text = """
network: two
input: {image: [3, 8, 8]}
layers:
  - branches: {%s: [{conv: 1x1, filters: 4}], %s: [{conv: 1x1, filters: 4}]}
    join: concat
    name: m
  - {avg_pool: 3x3, name: pool%s}
"""
    for file, words in (("p", ("x", "y", "")), ("q", ("y", "x", ", count_include_pad: true"))):
        (tmp_path / f"{file}.yaml").write_text(text % words)
    published, other = (load_graph(tmp_path / f"{file}.yaml") for file in "pq")
    assert wiring_differences(published, published) == ()
    assert wiring_differences(other, published) == (
        "`m.concat` reads (m.y.conv_1x1, m.x.conv_1x1) where the weights are for "
        "(m.x.conv_1x1, m.y.conv_1x1)",
        "`pool` has count_include_pad True where the weights are for False",
    )
