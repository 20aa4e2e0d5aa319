"""Boxes that have the parameters of another one say so, in every format and in the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compiler.pipeline import draft_graph, load_graph
from viz.diagram.arrange import arrange
from viz.diagram.box_builder import View
from viz.html import render_html
from viz.render import render

SIAMESE = """\
network: siamese
input: {left: [3, 32, 32], right: [3, 32, 32]}
defaults: {conv: {norm: batch_norm, activation: relu}}
blocks:
  tower:
    title: Tower
    layers:
      - {conv: 3x3, filters: 8, name: c1}
      - {conv: 3x3, filters: 8, name: c2}
      - {conv: 3x3, filters: 8, name: c3, share: c2}
      - {global_avg_pool: true}
layers:
  - {block: tower, name: a, from: left}
  - {block: tower, name: b, from: right, share: a}
  - {concat: [a, b], name: both}
  - {linear: 10, name: fc}
  - {linear: 10, name: fc2, share: fc, from: both}
  - {add: [fc, fc2]}
"""
CLOSED = [
    "left (32x32x3)",
    "right (32x32x3)",
    "Tower",
    "Tower (shared with a)",
    "Filter concat",
    "Fully connected (10)",
    "Fully connected (10) (shared with fc)",
    "+",
]


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "siamese.yaml"
    path.write_text(SIAMESE)
    return path


def test_a_closed_block_and_a_layer_say_whose_parameters_they_have(spec: Path) -> None:
    labels = [box.label for box in arrange(load_graph(spec)).boxes()]
    assert sorted(labels) == sorted(CLOSED)


def test_inside_a_shared_block_it_is_said_once(spec: Path) -> None:
    diagram = arrange(load_graph(spec), View(depth=1))
    assert [group.label for group in diagram.groups()] == ["Tower", "Tower (shared with a)"]
    convs = [box.label for box in diagram.boxes() if "Conv" in box.label]
    assert convs == ["3x3 Conv (8)"] * 2 + ["3x3 Conv (8) (shared with c2)"] + ["3x3 Conv (8)"] * 3


@pytest.mark.parametrize("format", ["svg", "tikz", "dot", "json"])
def test_every_format_shows_it(spec: Path, format: str) -> None:
    assert "(shared with a)" in render(load_graph(spec), format).decode()


@pytest.mark.browser
def test_the_page_shows_it(show: Callable[..., Any], spec: Path) -> None:
    graph, report, loaded = draft_graph(spec)
    page = show(render_html(graph, loaded, report.diagnostics))
    labels = page.evaluate("[...document.querySelectorAll('#boxes .item')].map(e => e.ariaLabel)")
    assert [label.partition(",")[0] for label in labels] == CLOSED
