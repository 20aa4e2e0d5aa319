"""An arrow that stands for several equal operands says for how many, in every format."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compiler.pipeline import draft_graph
from tests.viz.networks import broken, layout, network
from tests.viz.test_formats import pdf_texts
from viz.diagram.arrange import arrange
from viz.html import render_html
from viz.render import render

REPEATED = """\
network: repeated
input: {image: [3, 8, 8]}
blocks:
  sum:
    inputs: [p, q]
    layers: [{add: [p, q], name: s}]
layers:
  - {conv: 1x1, filters: 4, name: g}
  - {branches: {a: [], b: []}, join: add, name: twice}
  - branches: {a: [], b: [{conv: 1x1, filters: 4, name: c}], d: [], e: []}
    join: concat
    name: skips
  - {conv: 1x1, filters: 4, name: v}
  - {concat: [g, v, g], name: around}
  - {block: sum, name: closed, from: [around, around]}
  - {residual: {body: [], scale: 0.1}, name: scaled}
"""

OPERANDS = {
    ("image", "g"): 1,
    ("g", "twice.add"): 2,
    ("twice.add", "skips.b.c"): 1,
    ("twice.add", "skips.concat"): 3,
    ("skips.b.c", "skips.concat"): 1,
    ("skips.concat", "v"): 1,
    ("g", "around"): 2,
    ("v", "around"): 1,
    ("around", "closed"): 2,
    ("closed", "scaled.add"): 2,
}
"""The arrows between its boxes, and for how many operands each one stands."""

WORDS = sorted(f"x{times}" for times in OPERANDS.values() if times > 1)


def test_an_arrow_stands_for_operands() -> None:
    arrows = arrange(network(REPEATED)).arrows
    assert {(arrow.tail, arrow.head): arrow.times for arrow in arrows} == OPERANDS


def test_words_beside_an_arrow_are_black() -> None:
    texts = [text for arrow in layout(REPEATED).arrows for text in arrow.texts]
    assert sorted(text.text for text in texts) == WORDS
    assert {text.role for text in texts} == {"times"}


def test_a_size_that_does_not_fit_stands_before_the_count() -> None:
    text = "layers:\n  - {conv: 1x1, filters: 4, name: a}\n  - {add: [a, image, a], name: sum}\n"
    graph, faults = broken(text)
    words = {arrow.tail: arrow.words for arrow in arrange(graph, None, faults).arrows}
    assert (words["a"], words["image"]) == ("32x32x4 x2", "32x32x8")


@pytest.mark.parametrize(
    ("format", "words"),
    [("svg", ">{}</text>"), ("tikz", " {{{}}};"), ("dot", "[label={} ")],
)
def test_every_format_says_it(format: str, words: str) -> None:
    text = render(network(REPEATED), format).decode()
    assert [text.count(words.format(word)) for word in ("x2", "x3")] == [4, 1]


def test_a_pdf_says_it() -> None:
    texts = pdf_texts(render(network(REPEATED), "pdf"))
    assert sorted(text for text in texts if text in WORDS) == WORDS


def test_json_has_an_edge_for_each_operand() -> None:
    data = json.loads(render(network(REPEATED), "json"))
    counts = Counter(map(tuple, data["edges"]))
    assert sorted(counts.values()) == sorted(OPERANDS.values())


@pytest.mark.browser
def test_the_page_says_it_too(show: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "repeated.yaml"
    file.write_text(REPEATED)
    graph, report, loaded = draft_graph(file)
    page = show(render_html(graph, loaded, report.diagnostics))
    arrows = page.evaluate("netdraft.composed.arrows.map(a => [a.tail, a.head, a.words?.[2]])")
    told = {
        (tail, head): f"x{times}" if times > 1 else None for (tail, head), times in OPERANDS.items()
    }
    assert {(tail, head): words for tail, head, words in arrows} == told
    assert sorted(page.locator("#boxes .arrow text").all_text_contents()) == WORDS
