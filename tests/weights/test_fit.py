"""What is said of tensors that do not fit, and of networks that are wired otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.pipeline import load_graph
from compiler.weights.mapping import WeightMap
from compiler.weights.match import match_tensors
from compiler.weights.misfits import Size, sentences, transposition
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
    assert sentences(match_tensors(None, wanted, found).misfits) == [
        "`a.weight` is 4x3x7x1 where the network has 4x3x1x7: "
        "the kernel is transposed (width x height)",
        "`b` is 3 where the network has 2",
        "`c` is scalar and has no place in the network",
        "`a.bias` is missing; the network needs 4",
    ]


@pytest.mark.parametrize(
    ("name", "type", "words"),
    [
        ("fc.bias", "float16", ""),
        ("fc.bias", "bfloat16", ""),
        ("fc.bias", "int64", "`fc.bias` is of int64 where the network has floating-point numbers"),
        ("fc.bias", "complex64", "`fc.bias` is of complex64 where the network has floating-point"),
        ("n.num_batches_tracked", "int32", ""),
        (
            "n.num_batches_tracked",
            "float32",
            "`n.num_batches_tracked` is of float32 where the network has whole numbers",
        ),
    ],
)
def test_types_that_convert(name: str, type: str, words: str) -> None:
    match = match_tensors(None, {name: (2,)}, {name: (2,)}, types={name: type})
    assert [words in text for text in sentences(match.misfits)] == ([True] if words else [])
    assert len(match.moves) == (0 if words else 1)


def test_long_lists_are_cut_by_kind() -> None:
    match = match_tensors(None, {"a": (1,)}, {f"x{i}": (2,) for i in range(30)})
    lines = sentences(match.misfits, most=20)
    assert len(lines) == 22
    assert lines[-1] == "and 10 more tensors: without a place"


MAP = WeightMap("a:b", "s", "", "", "2", {"fc": "head"}, ("head",), {}, {"last": "fc"})


@pytest.mark.parametrize(("drop", "skip"), [(True, 1), (False, None)])
def test_the_background_class(drop: bool, skip: int | None) -> None:
    match = match_tensors(MAP, {"head.weight": (2, 5)}, {"fc.weight": (3, 5)}, drop)
    assert [move.skip for move in match.moves] == ([] if skip is None else [skip])
    if skip is None:
        assert match.misfits[0].sentence == (
            "`head.weight` (in the file `fc.weight`) is 3x5 where the network has 2x5: "
            "3 classes, the first of them TensorFlow's background class"
        )


def test_two_tensors_for_one_place() -> None:
    found = {"fc.weight": (2, 5), "last.weight": (2, 5)}
    match = match_tensors(MAP, {"head.weight": (2, 5)}, found)
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
