"""The pairs under comparison, built once each, and the largest differences, printed at the end."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import nn

from backends.state.unit_scale import randomize
from backends.state.weights_io import sizes_of
from backends.torch import module as torch_module
from compiler.pipeline import load_graph
from compiler.weights.mapping import load_map
from compiler.weights.match import match_tensors
from compiler.weights.sizes import tensor_sizes
from tests.peers.networks import PEERS
from tests.peers.pairs import Differences, Pair

DIFFERENCES: Differences = {}


@pytest.fixture
def differences() -> Differences:
    """Where a test puts the largest differences that it found, for the report at the end."""
    return DIFFERENCES


@pytest.fixture(scope="module", params=list(PEERS))
def pair(request: pytest.FixtureRequest) -> Pair:
    """Their network with random weights, and ours with the same through the map, in float64."""
    name = cast(str, request.param)
    peer = PEERS[name]
    theirs = peer.build().double()
    example = torch.randn(2, 3, 139, 139, generator=torch.Generator().manual_seed(1)).double()
    randomize(theirs, 1, example)
    weights = load_map(peer.map)
    graph = load_graph(weights.spec, peer.settings)
    with pytest.MonkeyPatch.context() as patch:
        # Every weight is replaced at once, and drawing 50 million takes seconds.
        patch.setattr(torch_module, "initialize", lambda module, seed: None)
        ours = torch_module.build_module(graph).double()
    state = theirs.state_dict()
    match = match_tensors(weights, tensor_sizes(graph), sizes_of(state))
    assert match.is_complete, [misfit.sentence for misfit in match.misfits]
    ours.load_state_dict({m.name: state[m.source] for m in match.moves}, strict=True)
    for module in (theirs, ours):
        _equalize(module)
    return Pair(name, peer, weights, match, theirs.eval(), ours.eval(), DIFFERENCES)


def _equalize(module: nn.Module) -> None:
    """Set what is a matter of training recipes alike: no dropout, one momentum."""
    for layer in module.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
        elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            layer.momentum = 0.1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the largest relative difference of each comparison."""
    if not DIFFERENCES:
        return
    terminalreporter.section("largest differences from the peers, relative to the largest element")
    for (name, what), value in DIFFERENCES.items():
        terminalreporter.line(f"{name:30} {what:40} {value:.1e}")
