"""What a place of a spec means, without an editor."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.server.analysis import analyse

NET = """network: values
params: {n: 4}
let: {base: 8 * n}
input: {image: [3, 32, 32]}
blocks:
  first:
    params: {n: {type: channels}}
    layers: [{conv: 3x3, filters: n}]
  second:
    params: {n: {type: channels}}
    let: {hidden: 2 * n}
    layers: [{conv: 3x3, filters: hidden}]
layers:
  - {block: first, with: {n: base}}
  - {block: second, with: {n: 4 * n}}
  - {conv: 1x1, filters: 2 * k, for: {k: [8, 16]}, name: loop}
"""


@pytest.mark.parametrize(
    ("line", "text", "leads_to"),
    [
        (3, "n}", 2), (8, "n}", 7), (11, "n}", 10), (12, "hidden", 11),
        (14, "base", 3), (15, "n}", 2), (16, "k,", 16),
    ],
)  # fmt: skip
def test_a_value_leads_to_where_it_is_named(
    line: int, text: str, leads_to: int, tmp_path: Path
) -> None:
    (tmp_path / "net.yaml").write_text(NET)
    column = NET.splitlines()[line - 1].index(text) + 1
    found = analyse(tmp_path / "net.yaml", {}).definition(line, column)
    assert found is not None
    assert found.line == leads_to


def test_a_file_that_was_never_saved_is_a_spec(tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    found = analyse(path, {str(path.resolve()): NET})
    assert (found.diagnostics, path.exists()) == ((), False)
    assert [hint.text for hint in found.hints()][-1] == "32x32x32"


def test_a_name_inside_another_word_of_its_line_is_a_name(tmp_path: Path) -> None:
    """`a` is a letter of `name` and of `large` too."""
    text = NET.replace("name: loop", "name: a, label: large a")
    path = tmp_path / "net.yaml"
    column = text.splitlines()[15].index(": a,") + 3
    found = analyse(path, {str(path.resolve()): text})
    assert found.symbol_at(16, column) == ("a", "layer")


def test_the_step_under_the_cursor_is_followed(tmp_path: Path) -> None:
    text = NET + "  - {conv: 1x1, filters: 1, from: first.conv_3x3, name: reader}\n"
    path = tmp_path / "net.yaml"
    found = analyse(path, {str(path.resolve()): text})
    column = text.splitlines()[-1].index("first") + 1
    places = [found.definition(17, c) for c in (column, column + len("first."))]
    assert [(place.line, place.column) for place in places if place] == [(14, 5), (8, 14)]


def test_a_size_that_nobody_knows_is_no_hint(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    text = NET.replace("{conv: 1x1, ", "{conf: 1x1, ")
    found = analyse(path, {str(path.resolve()): text})
    assert [d.code for d in found.diagnostics] == ["unknown-op"]
    assert 16 not in [hint.line for hint in found.hints()]


def test_a_layer_of_several_lines_has_its_size_on_the_first(tmp_path: Path) -> None:
    text = NET + (
        "  - branches:\n      a: [{conv: 1x1, filters: 8}]\n      b:\n        - conv: 3x3\n"
        "          filters: 4\n    join: concat\n  - {conv: 1x1,\n     filters: 2}\n"
    )
    path = tmp_path / "net.yaml"
    found = analyse(path, {str(path.resolve()): text})
    hints = [(hint.line, hint.text) for hint in found.hints() if hint.line > 16]
    assert hints == [(17, "32x32x12"), (18, "32x32x8"), (20, "32x32x4"), (23, "32x32x2")]


NAMED = """network: named
params: {padding: {type: padding, default: V}}
input: {image: [3, 32, 32]}
blocks:
  pair:
    title: pair of them
    params: {padding: {type: padding, doc: of relu}}
    layers: [{conv: 3x3, filters: 8, padding: padding}]
layers:
  - {block: pair, with: {padding: padding}}
  - {softmax: true}
"""


@pytest.mark.parametrize(
    ("line", "before", "name"),
    [
        (2, "params: {", ("padding", "parameter")),
        (2, "type: ", None),
        (5, "  ", ("pair", "block")),
        (6, "title: ", None),
        (7, "params: {", ("pair.padding", "parameter")),
        (7, "doc: of ", None),
        (8, "filters: 8, ", None),
        (8, "padding: ", ("pair.padding", "parameter")),
        (10, "block: ", ("pair", "block")),
        (10, "with: {", ("pair.padding", "parameter")),
        (10, "with: {padding: ", ("padding", "parameter")),
        (11, "  - {", None),
    ],
)
def test_which_words_are_names(
    line: int, before: str, name: tuple[str, str] | None, tmp_path: Path
) -> None:
    path = tmp_path / "net.yaml"
    found = analyse(path, {str(path.resolve()): NAMED})
    assert found.diagnostics == ()
    column = NAMED.splitlines()[line - 1].index(before) + len(before) + 1
    assert found.symbol_at(line, column) == name
    if name == ("pair.padding", "parameter"):
        span = found.definition(line, column)
        assert span is not None
        assert span.line == 7
