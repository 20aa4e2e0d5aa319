"""A block drawn by its name is its definition: conditions and parameters by name."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from compiler.errors import UsageError
from compiler.graph import Graph
from compiler.pipeline import Compilation, load_graph
from tests.viz.geometry import clipped, overlaps, struck, touched
from viz.diagram.parts import Box
from viz.html import render_html
from viz.layout.lay_out import lay_out
from viz.render import Options, picture, render

RESNET = """\
network: resnet
input: {image: [3, 64, 64]}
defaults: {conv: {norm: batch_norm, activation: relu}}
blocks:
  basic:
    drawing: {sizes: trunk}
    params:
      filters: {type: channels}
      stride: {type: int, default: 1}
      project: {type: bool, default: false}
    layers:
      - residual:
          body:
            - {conv: 3x3, filters: filters, stride: stride}
            - {conv: 3x3, filters: filters, activation: none}
          shortcut:
            - {conv: 1x1, filters: filters, stride: stride, activation: none, when: project}
          activation: relu
layers:
  - {conv: 7x7, filters: 16, stride: 2}
  - {block: basic, with: {filters: 16}, repeat: 2, name: s1}
  - {block: basic, with: {filters: 32, stride: 2, project: true}, name: s2}
"""
MANY = """\
network: many
input: {image: [3, 64, 64]}
defaults: {conv: {norm: batch_norm, activation: relu}}
blocks:
  unit:
    params: {w: {type: channels}, wide: {type: bool, default: false}}
    layers: [{conv: 1x1, filters: w}, {conv: 3x3, filters: w, when: wide}]
  mb:
    params:
      ratio: {type: int}
      k: {type: int, default: 3}
      s: {type: int, default: 1}
      out: {type: channels}
      depth: {type: int, default: 1}
      act: {type: activation}
      end: {type: activation, default: none}
      keep: {type: number, default: 0.8}
      last: {type: bool, default: false}
    layers:
      - {conv: 1x1, filters: ratio * in.channels, activation: act, when: ratio > 1}
      - {conv: [k, 1], filters: prev.channels, groups: depthwise, stride: [s, 1], activation: act}
      - {layers: [{max_pool: 3x3, stride: s}, {conv: 1x1, filters: out}], when: s > 1, name: down}
      - {block: unit, with: {w: out}, repeat: depth - 1, name: units, when: depth > 1 or last}
      - {conv: 1x1, filters: out, linear: last}
      - branches:
          a: [{conv: 1x1, filters: out}]
          b: [{conv: 3x3, filters: out, when: ratio > 2 or last}]
        join: concat
        when: not last
      - {dropout: {keep: keep}}
      - residual: {body: [relu6], activation: end}
layers:
  - {block: mb, with: {ratio: 1, out: 16, act: relu}, name: m1}
  - {block: mb, with: {ratio: 6, out: 24, act: silu, depth: 3, s: 2, k: 5}, name: m2}
  - global_avg_pool
"""


def graph_of(tmp_path: Path, text: str) -> Graph:
    spec = tmp_path / "net.yaml"
    spec.write_text(text)
    return load_graph(spec)


def boxes(graph: Graph, block: str, depth: int = 0) -> list[Box]:
    return list(picture(graph, Options(block=block, depth=depth)).boxes())


def test_a_residual_block(tmp_path: Path) -> None:
    drawn = boxes(graph_of(tmp_path, RESNET), "basic")
    assert [(b.label, b.optional, b.size) for b in drawn] == [
        ("Input", False, None),
        ("1x1 Conv (filters stride stride no activation) if project", True, None),
        ("3x3 Conv (filters stride stride)", False, None),
        ("3x3 Conv (filters no activation)", False, None),
        ("+", False, None),
        ("Relu activation", False, None),
    ]


def test_its_instances_are_drawn_with_their_values(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, RESNET)
    assert [b.label for b in boxes(graph, "s1.0")][1:3] == [
        "3x3 Conv (16)",
        "3x3 Conv (16 no activation)",
    ]
    assert [b.label for b in boxes(graph, "s2")][1] == "1x1 Conv (32 stride 2 no activation)"
    assert not any(b.optional for name in ("s1.0", "s2") for b in boxes(graph, name))


def test_everything_that_a_parameter_decides_is_said_by_name(tmp_path: Path) -> None:
    assert [b.label for b in boxes(graph_of(tmp_path, MANY), "mb")] == [
        "Input",
        "1x1 Conv (ratio*in.channels activation act) if ratio > 1",
        "kx1 Conv (prev.channels stride sx1 depthwise activation act)",
        "3x3 MaxPool (stride s) if s > 1",
        "1x1 Conv (out) if s > 1",
        "(depth - 1) x unit if depth > 1 or last",
        "1x1 Conv (out Linear if last)",
        "1x1 Conv (out) if not last",
        "3x3 Conv (out) if not last and (ratio > 2 or last)",
        "Filter concat if not last",
        "Dropout (keep keep)",
        "ReLU6 activation",
        "+",
        "Activation end",
    ]


def test_a_branch_that_may_be_left_out(tmp_path: Path) -> None:
    text = (
        "network: net\ninput: {image: [3, 8, 8]}\n"
        "layers: [{block: mixed, name: m, with: {p: false}}]\n"
        "blocks:\n  mixed:\n    params: {p: {type: bool}}\n    join: concat\n    branches:\n"
        "      a: [relu]\n      b: {when: p, layers: [{max_pool: 3x3}, {conv: 1, filters: 2}]}\n"
    )
    graph = graph_of(tmp_path, text)
    assert [(b.label, b.optional) for b in boxes(graph, "mixed")] == [
        ("Input", False),
        ("Relu activation", False),
        ("3x3 MaxPool if p", True),
        ("1x1 Conv (2 Linear) if p", True),
        ("Filter concat", False),
    ]
    drawn = [b.label for b in picture(graph, Options(depth=1)).boxes()]
    assert drawn == ["Input (8x8x3)", "Relu activation", "Filter concat"]


def test_a_block_inside_a_definition_opens_by_name(tmp_path: Path) -> None:
    diagram = picture(graph_of(tmp_path, MANY), Options(block="mb", depth=1))
    (frame,) = diagram.groups()
    assert frame.label == "(depth - 1) x unit if depth > 1 or last (w = out)"
    inside = [b.label for b in diagram.boxes() if b.id.startswith("m1.units.")]
    assert inside == ["1x1 Conv (w)", "3x3 Conv (w) if wide"]


@pytest.mark.parametrize("text", [RESNET, MANY], ids=["resnet", "many"])
@pytest.mark.parametrize("depth", [0, 1])
def test_definitions_have_room(tmp_path: Path, text: str, depth: int) -> None:
    graph = graph_of(tmp_path, text)
    for block in graph.definitions:
        layout = lay_out(picture(graph, Options(block=block, depth=depth)))
        for complaint in (overlaps, clipped, touched, struck):
            assert complaint(layout) == []


def test_what_may_be_left_out_is_dashed_in_every_format(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, RESNET)
    options = Options(block="basic")
    assert render(graph, "svg", options).count(b'stroke-dasharray="4 3"') == 1
    assert render(graph, "tikz", options).count(b"bp,dashed]") == 1
    dot = render(graph, "dot", options).decode()
    assert len(re.findall(r"if project.*style=\"filled,dashed\"", dot)) == 1
    assert render(graph, "pdf", options).startswith(b"%PDF")


def test_numbers_of_a_definition_are_refused(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, RESNET)
    with pytest.raises(UsageError) as caught:
        picture(graph, Options(block="basic", show=("params",)))
    assert str(caught.value) == (
        "`basic` is drawn as it is defined, and its numbers depend on the instance; "
        "draw one of them: `s1.0`, `s1.1`, `s2`"
    )
    numbers = picture(load_graph("inception_v4"), Options(block="inception_a", show=("params",)))
    assert sum(len(box.notes) for box in numbers.boxes()) == 7


def test_a_graph_with_definitions_can_be_kept(tmp_path: Path) -> None:
    graph = pickle.loads(pickle.dumps(graph_of(tmp_path, RESNET)))
    assert boxes(graph, "basic")[1].optional


def test_a_block_that_is_too_large_is_drawn_as_its_first_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETDRAFT_LIMIT_DRAWN_OPERATIONS", "2")
    assert len(boxes(graph_of(tmp_path, RESNET), "basic")) == 5


def test_a_block_whose_first_instance_is_not_built(tmp_path: Path) -> None:
    text = """
network: t
input: {x: [4, 8, 8]}
blocks:
  b:
    params: {deep: {type: bool, default: true}}
    layers: [{conv: 3x3, filters: 4, when: deep}, relu]
layers:
  - {block: b, name: dead}
  - {block: b, name: live, from: x}
"""
    graph = graph_of(tmp_path, text)
    assert "dead" not in graph.regions
    assert [(b.label, b.optional) for b in boxes(graph, "b")] == [
        ("Input", False),
        ("3x3 Conv (4) if deep", True),
        ("Relu activation", False),
    ]


def test_a_block_of_what_is_not_drawn_has_a_box_when_it_is_open(tmp_path: Path) -> None:
    text = (
        "network: net\ninput: {image: [3, 8, 8]}\nlayers: [{block: b}, {conv: 1, filters: 2}]\n"
        "blocks: {b: {layers: [{scale: 2, drawn: false}, {max_pool: 2x2, drawn: false}]}}\n"
    )
    drawn = picture(graph_of(tmp_path, text), Options(depth=1))
    assert [(b.id, [g.name for g in b.guests]) for b in drawn.boxes()] == [
        ("image", []),
        ("b.max_pool_2x2", ["b.scale"]),
        ("conv_1x1", []),
    ]
    compilation = Compilation(tmp_path / "net.yaml")
    assert "b.max_pool_2x2" in render_html(compilation.draft, compilation.spec)


def test_a_factor_by_name_is_no_multiple(tmp_path: Path) -> None:
    text = (
        "network: net\ninput: {image: [3, 8, 8]}\n"
        "layers: [{block: grown, name: m, with: {scale: 2}}]\n"
        "blocks: {grown: {params: {scale: {type: int}}, layers: [{upsample: scale}]}}\n"
    )
    graph = graph_of(tmp_path, text)
    assert [b.label for b in boxes(graph, "grown")] == ["Input", "Upsample (by scale)"]
