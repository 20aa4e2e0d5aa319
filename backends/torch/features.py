"""Feature extraction in timm's convention: one map per reduction, and what each one is."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from backends.torch.module import build_from_source, take_features
from backends.torch.source import emit_source
from compiler.facts.features import features_of
from compiler.graph import Graph


def build_features(
    graph: Graph,
    names: Sequence[str] = (),
    *,
    seed: int | None = 0,
    device: torch.device | str | None = None,
) -> nn.Module:
    """Return a module whose `forward` returns the list of feature maps, without the head.

    `module.feature_info` lists `{"num_chs", "reduction", "module"}` for each of them, as timm's
    `features_only=True` does; `module` is the spec's name. Weights have the names of the whole
    network's `state_dict`.

    Args:
        graph: a checked graph.
        names: layers or blocks whose maps are wanted; without any the last map of the trunk at
            every reduction.
        seed: of the initial weights; None leaves that to who loads others.
        device: where the module goes; None is the CPU.

    Raises:
        UsageError: a name is none of the graph, or its output is no map.
    """
    features = features_of(graph, names)
    taps = [f.module for f in features]
    info: list[dict[str, object]] = [
        {"num_chs": f.num_chs, "reduction": f.reduction, "module": f.module} for f in features
    ]
    return build_maps(graph, taps, info, seed=seed, device=device)


def build_maps(
    graph: Graph,
    taps: Sequence[str],
    info: list[dict[str, object]],
    *,
    seed: int | None = 0,
    device: torch.device | str | None = None,
) -> nn.Module:
    """Return a module whose `forward` returns the list of tapped tensors; `info` describes them."""
    source = emit_source(graph, taps=taps, features=True)
    model = build_from_source(graph, source, seed, device, taps)
    take_features(model, info)
    return model
