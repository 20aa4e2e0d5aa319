"""The native CPU engine against the float64 module: every kind of loop and layout."""

from __future__ import annotations

import shutil

import pytest
import torch

from backends.engine.flat_module import build_flat_module
from backends.native.engine import NativeRunner
from backends.native.groups import Product, Sum, group_loops
from backends.native.layout import lay_out
from backends.native.plan import Choice, candidates
from backends.parameters import convert_state
from compiler.errors import BackendError
from compiler.graph import Graph
from compiler.optimize import optimize_graph
from tests.passes.random_specs import graph_of, random_state

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++", "c++"))), reason="there is no C++ compiler"
)

HEAD = """
network: small
input: {image: [3, 13, 11]}
defaults: {conv: {norm: batch_norm, activation: relu}}
layers:
"""
INCEPTION = """
  - {conv: 3x3, filters: 32, stride: 2, padding: V}
  - {conv: 3x3, filters: 48}
  - branches:
      pool: [{avg_pool: 3x3}, {conv: 1x1, filters: 16}]
      one: [{conv: 1x1, filters: 20}]
      two: [{conv: 1x1, filters: 16}, {conv: 1x7, filters: 32}, {conv: 7x1, filters: 16}]
      three: [{conv: 1x1, filters: 16}, {conv: 5x5, filters: 16}]
    join: concat
    name: mixed
  - residual:
      body: [{conv: 3x3, filters: 68, norm: none, activation: none, bias: true}]
      scale: 0.3
      activation: relu
    name: res
"""
ODDS = """
  - {max_pool: 3x3, stride: 2}
  - {conv: 3x3, filters: 7, stride: 2, name: a}
  - {avg_pool: 3x3, count_include_pad: true, name: b}
  - {scale: 0.5, name: c}
  - {max_pool: 3x3, name: d, from: a}
  - {add: [c, d], name: e}
  - {concat: [e, a, e], name: f}
  - {concat: [f, b], name: g}
  - {conv: 3x3, filters: 9, dilation: 2, activation: none}
"""
HEADS = {
    "softmax": "  - {global_avg_pool: true}\n  - {linear: 10}\n  - softmax\n",
    "normalize": "  - {global_max_pool: true}\n  - {linear: 10}\n  - normalize\n",
    "map": "",
}


def prepared(layers: str) -> tuple[Graph, dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """Return an optimised graph, its float32 parameters, an input, and the float64 output."""
    plain = graph_of(HEAD + layers)
    state = random_state(plain)
    image = torch.randn(2, 3, 13, 11, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        reference = build_flat_module(plain, state)(image.double())
    graph = optimize_graph(plain)
    parameters = {name: value.float() for name, value in convert_state(graph, state).items()}
    assert float(reference.std()) > 1e-3
    return graph, parameters, image, reference


def distance(made: torch.Tensor | tuple[torch.Tensor, ...], reference: torch.Tensor) -> float:
    """Return the largest difference, as a part of the largest value."""
    assert isinstance(made, torch.Tensor)
    assert made.shape == reference.shape
    return float((made.double() - reference).abs().max() / reference.abs().max())


@pytest.mark.parametrize("body", [INCEPTION, ODDS], ids=["inception", "odds"])
@pytest.mark.parametrize("head", HEADS)
def test_equals_the_module(body: str, head: str) -> None:
    graph, parameters, image, reference = prepared(body + HEADS[head])
    runner = NativeRunner(graph, parameters, 2)
    assert distance(runner(image), reference) < 2e-5
    assert distance(runner(image), reference) < 2e-5, "the second run differs: memory was reused"


def test_every_choice_equals_the_module() -> None:
    graph, parameters, image, reference = prepared(INCEPTION)
    for index in range(3):
        known = {}
        for node in graph.nodes.values():
            variants = candidates(graph, node)
            if index < len(variants):
                known[node.name] = Choice(variants[index], 24).text
        runner = NativeRunner(graph, parameters, 2, known=known)
        assert any(runner.choices[name] == text for name, text in known.items())
        assert distance(runner(image), reference) < 2e-5


def test_bfloat16_rounds_products_only() -> None:
    graph, parameters, image, reference = prepared(INCEPTION)
    runner = NativeRunner(graph, parameters, 2, torch.bfloat16)
    made = runner(image)
    assert isinstance(made, torch.Tensor)
    assert made.dtype == torch.bfloat16
    assert distance(made, reference) < 2e-2


def test_concats_are_written_in_place() -> None:
    graph, *_ = prepared(INCEPTION)
    layout = lay_out(graph, group_loops(graph), batch=1)
    assert not any(isinstance(loop, Sum) for loop in layout.loops)
    whole = layout.views["mixed.concat"]
    first = layout.views["mixed.pool.conv_1x1.act"]
    assert (first.buffer, first.offset, first.stride) == (whole.buffer, whole.offset, 68)


def test_scale_add_and_relu_are_part_of_the_product() -> None:
    graph, *_ = prepared(INCEPTION)
    last = group_loops(graph).loops[-1]
    assert isinstance(last, Product)
    (segment,) = last.segments
    assert segment.relu
    assert segment.add == "mixed.concat"


def test_refuses_what_it_has_no_loop_for() -> None:
    graph = graph_of(HEAD + "  - {conv: 3x3, filters: 4, activation: silu}\n")
    parameters = convert_state(optimize_graph(graph), random_state(graph))
    with pytest.raises(BackendError, match="the native engine has no Activation"):
        NativeRunner(optimize_graph(graph), parameters, 1)


def test_refuses_open_sizes() -> None:
    graph = graph_of(HEAD.replace("[3, 13, 11]", "[3, H, W]") + "  - {conv: 3x3, filters: 4}\n")
    parameters = convert_state(optimize_graph(graph), random_state(graph))
    with pytest.raises(BackendError, match="sizes in numbers"):
        NativeRunner(optimize_graph(graph), parameters, 1)
