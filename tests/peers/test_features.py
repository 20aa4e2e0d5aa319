"""Feature maps beside timm's `features_only`: channels, reductions, tensors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from backends.state.fit_weights import load_weights
from backends.state.unit_scale import randomize
from backends.torch.features import build_features
from backends.torch.module import build_module
from compiler.facts.features import features_of
from compiler.graph import Graph
from compiler.pipeline import load_graph
from compiler.weights.mapping import load_map
from tests.peers.networks import NON_SQUARE
from tests.peers.pairs import difference, image

pytestmark = pytest.mark.peers

NETWORKS = {
    "inception_v4": (
        "released/inception_v4_slim",
        ["stem.conv_2b", "stem.mixed_3a", "a", "b", "c"],
    ),
    "inception_resnet_v2": ("released/inception_resnet_v2_slim", []),
    "resnet18": ("zoo/resnet18", []),
    "resnet50": ("zoo/resnet50", []),
}
"""timm's name -> ours, and the maps where they are not the default.

timm lists `features.3` of Inception-v4, the first map of reduction 4; the last is `stem.mixed_4a`.
"""


def with_their_weights(graph: Graph, theirs: nn.Module, name: str, folder: Path) -> nn.Module:
    """Return our module with the parameters of timm's network."""
    ours = build_module(graph)
    family = "torchvision" if name.startswith("resnet") else "timm"  # with the same names
    torch.save(theirs.state_dict(), folder / "theirs.pth")
    load_weights(ours, folder / "theirs.pth", load_map(f"{family}:{name}"), graph=graph)
    return ours


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_are_timm_s(name: str, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    spec, names = NETWORKS[name]
    graph = load_graph(spec)
    theirs = timm.create_model(name, pretrained=False)
    x = image(NON_SQUARE).float()
    randomize(theirs, 5, x)
    maps = timm.create_model(name, pretrained=False, features_only=True)
    state = list(theirs.state_dict().values())
    maps.load_state_dict(dict(zip(maps.state_dict(), state, strict=False)))
    module = build_features(graph, names)
    ours = with_their_weights(graph, theirs, name, tmp_path).state_dict()
    module.load_state_dict({name: ours[name] for name in module.state_dict()})
    info = [(f.num_chs, f.reduction) for f in features_of(graph, names)]
    told = maps.feature_info
    assert info == list(zip(told.channels(), told.reduction(), strict=True))
    with torch.no_grad():
        wanted, got = maps.eval()(x), module.eval()(x)
    worst = max(difference(g, w) for g, w in zip(got, wanted, strict=True))
    print(f"{name}: {worst:.1e}")
    assert worst < 1e-5
