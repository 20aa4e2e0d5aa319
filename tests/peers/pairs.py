"""Their network and ours with the same weights, and how far apart two tensors are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from compiler.weights.mapping import WeightMap
from compiler.weights.match import Match
from tests.peers.networks import Peer, Size

Differences = dict[tuple[str, str], float]
"""(pair, what was compared) -> the largest relative difference."""


@dataclass(frozen=True)
class Pair:
    """Two modules in evaluation mode and float64; tests leave them so."""

    name: str
    peer: Peer
    weights: WeightMap
    match: Match
    theirs: nn.Module
    ours: nn.Module
    differences: Differences

    def layers(self) -> Iterator[tuple[str, str]]:
        """Yield (theirs, ours) for every convolution and linear layer.

        Batch norms are left out: timm's hold the ReLU that is a layer of its own here.
        """
        modules = dict(self.ours.named_modules())
        for theirs, ours in self.weights.layers.items():
            if isinstance(modules.get(ours), (nn.Conv2d, nn.Linear)):
                yield theirs, ours

    def check(self, what: str, ours: Tensor, theirs: Tensor, limit: float, where: str = "") -> None:
        """Compare two tensors and keep the difference for the report."""
        assert ours.shape == theirs.shape
        found = difference(ours, theirs)
        key = (self.name, what)
        self.differences[key] = max(self.differences.get(key, 0.0), found)
        assert found <= limit, f"{what} {where} differ by {found:.2g}"


def difference(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest difference relative to the largest element; NaN counts as infinite."""
    largest = float(theirs.detach().abs().max())
    found = float((ours.detach() - theirs.detach()).abs().max()) / (largest or 1.0)
    return found if found == found else float("inf")


def image(size: Size, count: int = 2, seed: int = 2) -> Tensor:
    """Return random images (count, 3, height, width) in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, *size, generator=generator, dtype=torch.float64)


@contextmanager
def recorded(module: nn.Module, names: list[str]) -> Iterator[dict[str, Tensor]]:
    """Collect what the named layers return in the forward passes inside the block."""
    out: dict[str, Tensor] = {}

    def keep(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(layer: nn.Module, args: object, output: Tensor) -> None:
            out[name] = output.detach()

        return module.get_submodule(name).register_forward_hook(hook)

    handles = [keep(name) for name in names]
    try:
        yield out
    finally:
        for handle in handles:
            handle.remove()
