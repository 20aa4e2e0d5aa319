"""An error about a name stands at the name; what stands twice is said at the second."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.pipeline import draft_graph

HEAD = "network: t\ninput: {image: [3, 8, 8]}\n"


def places(text: str, folder: Path) -> list[tuple[str, str]]:
    """Return the code of each finding, and the text that it points to."""
    (folder / "t.yaml").write_text(HEAD + text)
    lines = (HEAD + text).splitlines()
    found = draft_graph(folder / "t.yaml")[1].diagnostics
    return [
        (d.code, lines[d.span.line - 1][d.span.column - 1 : d.span.end_column - 1]) for d in found
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("blocks: {double: {layers: [relu]}}\nlayers: [{block: double}]\n", ("bad-name", "double")),
        ("layers: [{branches: {a b: [relu]}, join: add}]\n", ("bad-name", "a b")),
        ("layers: [{branches: {a: [{split: {in: [relu]}}]}, join: add}]\n", ("bad-name", "in")),
        ("layers: [{relu: true, name: half}]\n", ("bad-name", "half")),
        ("params: {in: 3}\nlayers: [relu]\n", ("bad-name", "in")),
        ("params: {n: 3}\nlayers: [relu]\n", ("unused-parameter", "n")),
        ("layers: [relu]\noutputs: [{name: _x, from: relu}]\n", ("bad-name", "_x")),
        ("layers: [relu, tanh]\noutputs: [tanh, {name: tanh, from: relu}]\n",
         ("duplicate-name", "tanh")),
        ("layers: [relu, tanh]\noutputs: [tanh, {name: relu, from: image}]\n",
         ("bad-name", "relu")),
        ("blocks: {b: {inputs: [x, x], layers: [relu]}}\nlayers: [relu]\n",
         ("duplicate-name", "x")),
        ("blocks: {b: {layers: [relu]}}\nlayers: [{block: b, from: {x: image, image: image}}]\n",
         ("operand-count", "image")),
        ("blocks: {b: {layers: [relu]}}\nlayers: [{block: b, with: {n: 3}}]\n",
         ("unknown-parameter", "n")),
        ("layers: [{relu: true, errata: [E1]}]\n", ("unknown-erratum", "E1")),
    ],
)  # fmt: skip
def test_errors_about_names_stand_at_the_name(
    text: str, place: tuple[str, str], tmp_path: Path
) -> None:
    assert places(text, tmp_path) == [place]


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("layers: [relu]\nlayers: [{cnv: 3}, {conv: 3, filters: 4, nam: x}]\n",
         [("unknown-op", "cnv"), ("unknown-field", "nam")]),
        ("layers: [{cnv: 3}]\nlayers: [{cnw: 3}]\n",
         [("unknown-op", "cnv"), ("unknown-op", "cnw")]),
        ("layers: [relu]\nlayers: [relu]\nlayers: [{cnv: 3}]\n",
         [("unknown-op", "cnv")]),
        ("layers: [relu]\nparams: {a: 1}\nparams: {a: 1, in: 2}\n", [("bad-name", "in")]),
        ("blocks: {a: {layers: [relu]}}\nlayers: [{block: a}, {block: b}]\n"
         "blocks: {a: {layers: [{cnv: 3}]}, b: {layers: [relu]}}\n", [("unknown-op", "cnv")]),
        ("layers: [{layers: [relu], layers: [{relu: tru}]}]\n", [("bad-value", "tru")]),
        ("layers: [{conv: 3x3, filters: 4, filters: 8, stride: x}]\n",
         [("bad-value", "x")]),
        ("layers: [{conv: 3x3, filters: 4, filters: true, filters: false, bias: 8}]\n",
         [("bad-value", "true"), ("bad-value", "false"), ("bad-value", "8")]),
        ("layers: [{relu: true, name: a, name: a b}]\nnetwork: 3x\n",
         [("bad-name", "a b"), ("bad-name", "3x")]),
    ],
)  # fmt: skip
def test_a_key_that_stands_twice_hides_nothing(
    text: str, others: list[tuple[str, str]], tmp_path: Path
) -> None:
    found = sorted(places(text, tmp_path))
    rest = [place for place in found if place[0] != "duplicate-key"]
    assert (rest, len(found) > len(rest)) == (sorted(others), True)


def test_a_declared_size_that_another_takes_the_place_of_is_not_checked(tmp_path: Path) -> None:
    spec, child = tmp_path / "t.yaml", tmp_path / "child.yaml"
    spec.write_text("network: t\nparams: {c: 1}\ninput: {x: [c, 4, 4]}\nlayers: [relu]\n")
    child.write_text("extends: t.yaml\nparams: {c: 0}\ninput: {x: [3, 8, 8]}\n")
    varied = draft_graph(spec, {"c": "0"}, ["3x8x8"])
    extended = draft_graph(child)
    assert not varied[1].errors
    assert not extended[1].errors
    assert varied[0].digest == extended[0].digest


@pytest.mark.parametrize(
    ("declared", "code", "message", "remarks"),
    [
        ("c: 0", "bad-value", "size 1 of input `x` is `0`, not a whole number from 1 to 1,000,000",
         ["`c` is declared here"]),
        ("c: 3x3", "bad-value",
         "size 1 of input `x` is `3x3`, not a whole number from 1 to 1,000,000",
         ["`c` is declared here"]),
        ("cc: 3", "unknown-parameter",
         "size 1 of input `x`: unknown name `c` (did you mean `cc`?)", []),
        ("c: 1 +", "bad-expression",
         "the default of `c`: in `1 +`: expected a number, a name or `(`, found the end", []),
    ],
)  # fmt: skip
def test_a_parameter_that_is_no_size_of_an_input(
    declared: str, code: str, message: str, remarks: list[str], tmp_path: Path
) -> None:
    spec = tmp_path / "t.yaml"
    spec.write_text(
        f"network: t\nparams: {{{declared}}}\ninput: {{x: [c, 4, 4]}}\n"
        "layers: [{conv: 1, filters: 2}]\n"
    )
    (found,) = draft_graph(spec)[1].errors
    assert (found.code, found.message) == (code, message)
    assert [(r.span.line, r.text) for r in found.remarks] == [(2, text) for text in remarks]
