"""Reading YAML."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cases.conftest import Draft

HEAD = "network: net\ninput: {x: [8, 9, 9]}\n"


@pytest.mark.parametrize("eps", ["1e-3", "1.0e-3", "0.001", "1E-3"])
def test_scientific_notation_is_a_number(draft: Draft, eps: str) -> None:
    """See yaml/pyyaml#173: without a dot it was text."""
    found = draft.layers("8x9x9", f"{{batch_norm: true, eps: {eps}, name: b}}")
    assert found.graph is not None
    assert found.graph.nodes["b"].op.attributes()["eps"] == 0.001


@pytest.mark.parametrize(
    ("filters", "channels"), [("010", 10), ("08", 8), ("0o10", 8), ("+12", 12)]
)
def test_numbers_as_yaml_1_2_has_them(draft: Draft, filters: str, channels: int) -> None:
    """See kislyuk/yq#201: YAML 1.1 reads 010 as 8."""
    assert draft.layers("8x9x9", f"{{conv: 1x1, filters: {filters}}}").out == f"{channels}x9x9"


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("{conv: 1x1, filters: 1_000}", "write 1000"),
        ("{conv: 1:7, filters: 4}", "write 1x7"),  # YAML 1.1 reads 67
        ("{conv: 0x3, filters: 4}", "`conv` = 0 is less than 1"),  # YAML reads 3
        ("{conv: 1x1, filters: 0x10}", "write 16; a size, 0 by so many, can't stand here"),
        ("{conv: 3:1, filters: 4}", "write 3x1"),
        ("{conv: 3X1, filters: 4}", "write 3x1"),
        ("{conv: 3×1, filters: 4}", "write 3x1"),
        ("{conv: 12:30:45, filters: 4}", "`12:30:45` is not a size"),
        ("{conv: 1x1, filters: 2016-02-23}", "`02` begins with a zero"),  # and not 1991
        ("{conv: 1x1, filters: 4, activation: off}", "there is no activation `off`"),
        ("{conv: 1x1, filters: 4, bias: no}", "write false"),
        ("{conv: 1x1, filters: 4, stride: }", "`stride` of `conv` is empty"),
        ("{conv: 1x1, filters: 4, stride: ~}", "`stride` of `conv` is empty"),
        ("{conv: 1x1, filters: 4, padding: =}", "unexpected character `=`"),
        ("{conv: 1x1, filters: 4, filters: 8}", "the key `filters` stands twice"),
    ],
)
def test_what_is_no_value(draft: Draft, layer: str, words: str) -> None:
    found = draft.layers("8x9x9", layer)
    assert len(found.errors) == 1
    assert words in found.said
    assert "spec.yaml:4:" in found.text


@pytest.mark.parametrize(
    ("layer", "pads", "out"),
    [
        ("{conv: 1x7, filters: 4, padding: 0x3}", ((0, 0), (3, 3)), "4x9x9"),
        ("{conv: 7x1, filters: 4, padding: 3x0}", ((3, 3), (0, 0)), "4x9x9"),
        ("{max_pool: 3x3, stride: 2, padding: 0x1, ceil: false}", ((0, 0), (1, 1)), "8x4x5"),
    ],
)
def test_a_size_that_begins_with_zero_is_no_hexadecimal_number(
    draft: Draft, layer: str, pads: object, out: str
) -> None:
    """YAML reads 0x3 as 3, so that the padding of a 1x7 would be 3 on every side."""
    found = draft.layers("8x9x9", layer[:-1] + ", name: a}")
    assert found.graph is not None
    op: Any = found.graph.nodes["a"].op
    assert op.pads(found.graph.input_shapes(found.graph.nodes["a"])[0]) == pads
    assert found.out == out


def test_words_of_yaml_1_1_are_names(draft: Draft) -> None:
    """See spring-projects/spring-boot#9186: `no` and `on` became booleans, as keys too."""
    found = draft.layers("8x9x9", "{branches: {on: [relu], no: [relu]}, join: add, name: NO}")
    assert found.out == "8x9x9"
    assert found.graph is not None
    assert {"NO.on", "NO.no"} <= set(found.graph.regions)


def test_a_date_is_text_where_text_stands(draft: Draft) -> None:
    found = draft.layers("8x9x9", "{relu: true, name: r, doc: 2016-02-23}")
    assert found.graph is not None
    assert found.errors == []
    assert found.graph.nodes["r"].info.doc == "2016-02-23"


def test_both_places_of_a_duplicate_key_are_shown(draft: Draft) -> None:
    """See yaml/pyyaml#165: the second silently won."""
    found = draft(
        f"{HEAD}blocks:\n  b: {{layers: [relu]}}\n  b: {{layers: [elu]}}\nlayers: [relu]\n"
    )
    assert found.errors == ["duplicate-key"]
    assert "(lines 4 and 5)" in found.said
    assert "it stands here first" in found.said


@pytest.mark.parametrize(
    ("layer", "size"),
    [
        ("{<<: *b}", "4x9x9"),
        ("{<<: *b, filters: 6}", "6x9x9"),  # explicit keys win, wherever `<<` stands
        ("{conv: 1x1, filters: 6, <<: *b}", "6x9x9"),
        ("{<<: [*b, *c]}", "4x9x9"),  # the first of a list wins
        ("{<<: [*c, *b]}", "5x5x5"),
        ("{<<: [*b, *c], filters: 7}", "7x9x9"),
    ],
)
def test_merge_keys(draft: Draft, layer: str, size: str) -> None:
    """See mikefarah/yq#800: tools disagree on which value wins."""
    base = "  - &b {conv: 3x3, filters: 4, stride: 1}\n  - &c {conv: 3x3, filters: 5, stride: 2}\n"
    body = f"{base}  - {{branches: {{a: [{layer}]}}, join: concat, from: x}}\n"
    assert draft(f"{HEAD}layers:\n{body}").out == size


def test_a_tab_is_named(draft: Draft) -> None:
    """See BlueBrain/NeuroM#703."""
    found = draft("network: net\n\tinput: 3\n")
    assert found.errors == ["yaml-tab"]
    assert "a tab stands in the indentation" in found.said
    assert "spec.yaml:2:1" in found.text


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + f"{HEAD}layers: [relu]\n".encode(),
        f"{HEAD}layers: [relu]\n".replace("\n", "\r\n").encode(),
        f"{HEAD}layers: [relu]\n".encode("utf-16"),
        f"{HEAD}layers: [relu]  # 残差块 ×10\n".encode(),
    ],
    ids=["bom", "crlf", "utf-16", "utf-8"],
)
def test_encodings(draft: Draft, data: bytes) -> None:
    """See andrewlock/NetEscapades.Configuration#19 and ultralytics/yolov5#1669."""
    assert draft(data).out == "8x9x9"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty-file"),
        ("# only a comment\n", "empty-file"),
        ("- a\n", "not-a-spec"),
        ("foo\n", "not-a-spec"),
        ("a: 1\n---\nb: 2\n", "several-documents"),
        ("a: &a {self: *a}\n", "recursive-alias"),
    ],
)
def test_unusual_roots(draft: Draft, text: str, code: str) -> None:
    assert draft(text).errors == [code]
