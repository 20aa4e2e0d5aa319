"""A published file, through the command, into our module: the whole way that a user goes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from backends.state.fit_weights import load_weights
from backends.state.unit_scale import check_unit_scale, randomize
from backends.torch.module import build_module
from compiler.__main__ import main
from compiler.pipeline import load_graph
from tests.peers.networks import NON_SQUARE, PEERS
from tests.peers.pairs import difference, image

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("is_safe", [True, False])
def test_a_file_with_auxiliary_heads_for_a_network_without(tmp_path: Path, is_safe: bool) -> None:
    theirs = PEERS["torchvision-googlenet-aux"].build()
    x = image(NON_SQUARE).float()
    randomize(theirs, 5, x)
    if is_safe:
        save_file = pytest.importorskip("safetensors.torch").save_file
        file = tmp_path / "published.safetensors"
        save_file(theirs.state_dict(), file)
    else:
        file = tmp_path / "published.pth"
        torch.save(theirs.state_dict(), file)
    out = tmp_path / "ours.safetensors"
    arguments = ["zoo/googlenet", "--from", "torchvision:googlenet", str(file), "-o", str(out)]
    assert main(["weights", *arguments]) == 0
    ours = build_module(load_graph("zoo/googlenet"))
    load_weights(ours, out)
    with torch.inference_mode():
        expected = theirs.eval()(x)
        check_unit_scale(expected)
        assert difference(ours.eval()(x), expected) < 1e-5
