"""Laws of every pass on random specs: same numbers, idempotent, well-formed, pure."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings

from backends.run.flat_module import build_flat_module
from backends.state.parameters import State, convert_state
from compiler.graph import Graph, verify
from compiler.graph.parse import parse_graph
from compiler.graph.print import print_graph
from compiler.ops import OPS
from compiler.passes.optimizer import DEFAULT_PASSES, PASSES, Pass, optimize_graph
from tests.passes.random_specs import graph_of, random_state, specs

every_pass = pytest.mark.parametrize("run", PASSES.values(), ids=PASSES.keys())
few = settings(max_examples=25, deadline=None)

BOUND = 1e-11
"""Of the largest output, in float64: what reordering and folding may change at most."""


def outputs(graph: Graph, state: State) -> torch.Tensor:
    """Run a graph in float64 on a fixed batch of two images."""
    image = torch.randn(2, 3, 7, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        made = build_flat_module(graph, convert_state(graph, state))(image)
    assert isinstance(made, torch.Tensor)
    return made


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """Return the largest difference as a fraction of the largest value of `a`."""
    assume(float(a.abs().max()) > 1e-3)  # a dead signal would make the comparison vacuous
    return float((a - b).abs().max() / a.abs().max())


@every_pass
@few
@given(spec=specs())
def test_keeps_numbers(run: Pass, spec: dict[str, Any]) -> None:
    graph = graph_of(spec)
    state = random_state(graph)
    assert distance(outputs(graph, state), outputs(run(graph), state)) <= BOUND


@few
@given(spec=specs())
def test_printing_and_reading_keep_numbers(spec: dict[str, Any]) -> None:
    graph = graph_of(spec)
    state = random_state(graph)
    optimized = optimize_graph(graph)
    again = parse_graph(print_graph(optimized, shapes=False), OPS)
    assert torch.equal(outputs(optimized, state), outputs(again, state))


@few
@given(spec=specs())
def test_the_default_passes_keep_numbers(spec: dict[str, Any]) -> None:
    graph = graph_of(spec)
    state = random_state(graph)
    optimized = optimize_graph(graph, DEFAULT_PASSES)
    assert distance(outputs(graph, state), outputs(optimized, state)) <= BOUND


@every_pass
@few
@given(spec=specs())
def test_leaves_a_well_formed_graph_and_the_original_alone(run: Pass, spec: dict[str, Any]) -> None:
    graph = graph_of(spec)
    before = dict(graph.nodes), dict(graph.regions)
    result = run(graph)
    verify(result, shapes=True)
    assert (dict(graph.nodes), dict(graph.regions)) == before
    assert [node.name for node in result.nodes_in("")] == list(result.nodes)


@every_pass
@few
@given(spec=specs())
def test_a_second_run_changes_nothing(run: Pass, spec: dict[str, Any]) -> None:
    once = run(graph_of(spec))
    assert run(once) is once
