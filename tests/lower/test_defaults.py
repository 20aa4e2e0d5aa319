"""What a network's `defaults` say, and parameters that only the defaults of others read."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.ops import Activation, BatchNorm, Conv2d, MaxPool2d
from compiler.pipeline import draft_graph

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


@pytest.mark.parametrize(
    ("usual", "own", "momentum"),
    [
        ("decay: 0.9", "momentum: 0.25", 0.25),
        ("momentum: 0.25", "decay: 0.75", 0.25),
        ("decay: 0.75", "eps: 0.1", 0.25),
    ],
)
def test_a_layers_own_word_for_momentum_holds_over_the_other_word_of_the_default(
    tmp_path: Path, usual: str, own: str, momentum: float
) -> None:
    path = tmp_path / "t.yaml"
    norm = f"layers: [{{batch_norm: true, {own}}}]"
    path.write_text(f"{HEAD}defaults: {{batch_norm: {{{usual}}}}}\n{norm}\n")
    graph, report, _ = draft_graph(path)
    assert graph.nodes["batch_norm"].op.attributes()["momentum"] == momentum
    assert not report.diagnostics


@pytest.mark.parametrize("op", ["conv", "max_pool", "linear"])
def test_what_opens_a_layer_is_no_default(tmp_path: Path, op: str) -> None:
    text = f"defaults: {{{op}: {{{op}: 3}}}}\nlayers: [relu]\n"
    assert drafted(tmp_path, text)[1] == ["bad-defaults"]


CAPTURE = """params: {n: 4, p: 1, act: relu, flag: true, s: 1, k: 1x2}
defaults:
  conv: {filters: 2 * n, padding: p, activation: act, bias: flag, stride: s}
  max_pool: {stride: k}
blocks:
  b:
    params: {n: 7, p: 0, act: tanh, flag: false, s: 2, k: 3x3}
    layers:
      - {conv: 3x3}
      - {conv: 1x1, filters: n, padding: p, activation: act, bias: flag, stride: s}
      - {max_pool: k}
layers: [{block: b}]
"""


def test_formulas_of_defaults_are_the_network_s_inside_blocks_too(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(HEAD + CAPTURE)
    graph, report, _ = draft_graph(path)
    ops = {n.name: n.op for n in graph.nodes.values()}
    assert report.diagnostics == []
    assert ops["b.conv_3x3.conv"] == Conv2d(8, (3, 3), padding=((1, 1), (1, 1)), bias=True)
    assert ops["b.conv_3x3.act"] == Activation("relu")
    assert ops["b.conv_1x1.conv"] == Conv2d(
        7, (1, 1), stride=(2, 2), padding=((0, 0), (0, 0)), bias=False
    )
    assert ops["b.conv_1x1.act"] == Activation("tanh")
    assert ops["b.max_pool"] == MaxPool2d((3, 3), (1, 2), "same")
    # a name inside a block is the block's: the network's formula is a number there
    assert graph.nodes["b.conv_3x3.conv"].traced == {}


def test_norms_take_formulas_too(tmp_path: Path) -> None:
    text = """params: {e: 0.5, learn: false}
defaults: {conv: {norm: batch_norm}, batch_norm: {eps: e, scale: learn, momentum: e / 2}}
blocks:
  b: {params: {e: 0.1}, layers: [{conv: 1x1, filters: 3}, batch_norm, {batch_norm: true, decay: e}]}
layers: [{block: b}]
"""
    path = tmp_path / "t.yaml"
    path.write_text(HEAD + text)
    graph, report, _ = draft_graph(path)
    norms = [n.op for n in graph.nodes.values() if isinstance(n.op, BatchNorm)]
    assert report.diagnostics == []
    assert [(n.eps, n.momentum, n.scale) for n in norms] == [
        (0.5, 0.25, False),
        (0.5, 0.25, False),
        (0.5, 0.9, False),  # the layer's own `decay` instead of the default's `momentum`
    ]


@pytest.mark.parametrize(
    ("defaults", "message"),
    [
        ("{conv: {filters: m}}", "`filters` of `conv`: unknown name `m`"),
        ("{conv: {filters: prev.channels}}", "`filters` of `conv`: unknown name `prev.channels`"),
        ("{conv: {stride: n - 4}}", "`stride` of `conv` = n - 4 = 0 is less than 1"),
        ("{linear: {bias: n}}", "`bias` of `linear` = n = 4 is neither true nor false"),
        (
            "{avg_pool: {padding: [-1, 0]}}",
            "the height of `padding` of `avg_pool` = -1 is less than 0",
        ),
        ("{conv: {repeat: 3}}", "`defaults` of `conv` cannot give `repeat`"),
        ("{conv: {from: a}}", "`defaults` of `conv` cannot give `from`"),
        ("{conv: 3x3}", "`defaults` of `conv` is the text `3x3`, not a mapping"),
        ("{upsample: {}}", "`defaults` has no place for `upsample`"),
    ],
)
def test_wrong_defaults_are_said_where_they_stand(
    tmp_path: Path, defaults: str, message: str
) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(f"{HEAD}params: {{n: 4}}\ndefaults: {defaults}\nlayers: [relu, softmax]\n")
    errors = draft_graph(path)[1].errors
    assert [(d.message, d.span.line) for d in errors] == [(message, 4)]


def test_a_default_that_reads_a_parameter_uses_it(tmp_path: Path) -> None:
    text = """params: {a: 3, b: {type: int, default: 2 * a}}
blocks: {c: {params: {x: 2, y: {type: int, default: x + 1}}, layers: [{conv: 1x1, filters: y}]}}
layers: [{conv: 3x3, filters: b}, {block: c}]
"""
    assert drafted(tmp_path, text) == ([6, 3], [])


def test_a_parameter_that_nothing_reads_is_said(tmp_path: Path) -> None:
    text = "params: {a: 3, b: 4}\nlayers: [{conv: 3x3, filters: b}]\n"
    assert drafted(tmp_path, text) == ([4], ["unused-parameter"])
