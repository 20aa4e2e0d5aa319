"""What a network's `defaults` say, and parameters that only the defaults of others read."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.build import draft_graph

HEAD = "network: t\ninput: {image: [3, 8, 8]}\n"


def drafted(folder: Path, text: str) -> tuple[list[int], list[str]]:
    """Return the output channels of the convolutions of a spec, and the codes of its findings."""
    path = folder / "t.yaml"
    path.write_text(HEAD + text)
    graph, report, _ = draft_graph(path)
    convs = [n for n in graph.nodes.values() if n.op.kind == "Conv2d"]
    return [int(n.op.attributes()["out_channels"]) for n in convs], [  # type: ignore[call-overload]
        d.code for d in report.diagnostics
    ]


def test_filters_may_be_a_default(tmp_path: Path) -> None:
    text = """defaults: {conv: {filters: 8}}
blocks: {b: {layers: [{conv: 1x1}]}}
layers: [{conv: 3x3}, {conv: 1x1, filters: 5}, {block: b}]
"""
    assert drafted(tmp_path, text) == ([8, 5, 8], [])


def test_without_a_default_a_convolution_needs_filters(tmp_path: Path) -> None:
    text = "defaults: {conv: {bias: true}}\nlayers: [{conv: 3x3}]\n"
    assert drafted(tmp_path, text) == ([0], ["missing-field"])


@pytest.mark.parametrize("op", ["conv", "max_pool", "linear"])
def test_what_opens_a_layer_is_no_default(tmp_path: Path, op: str) -> None:
    text = f"defaults: {{{op}: {{{op}: 3}}}}\nlayers: [relu]\n"
    assert drafted(tmp_path, text)[1] == ["bad-defaults"]


def test_a_default_that_reads_a_parameter_uses_it(tmp_path: Path) -> None:
    text = """params: {a: 3, b: {type: int, default: 2 * a}}
blocks: {c: {params: {x: 2, y: {type: int, default: x + 1}}, layers: [{conv: 1x1, filters: y}]}}
layers: [{conv: 3x3, filters: b}, {block: c}]
"""
    assert drafted(tmp_path, text) == ([6, 3], [])


def test_a_parameter_that_nothing_reads_is_said(tmp_path: Path) -> None:
    text = "params: {a: 3, b: 4}\nlayers: [{conv: 3x3, filters: b}]\n"
    assert drafted(tmp_path, text) == ([4], ["unused-parameter"])
