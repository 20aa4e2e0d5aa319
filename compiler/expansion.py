"""How many operations a layer comes to, counted before any is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from compiler.spec import (
    BlockLayer,
    BlockSpec,
    BranchesLayer,
    Layer,
    LayersLayer,
    ResidualLayer,
    SplitLayer,
)


class Expansion:
    """Counts operations from below: a `repeat` that is a formula counts as one copy."""

    def __init__(self, blocks: Mapping[str, BlockSpec]) -> None:
        self.blocks = blocks
        self.known: dict[str, int] = {}

    def of_layer(self, layer: Layer) -> int:
        """Return the least number of operations in one copy of a layer."""
        if isinstance(layer, BlockLayer):
            return self._of_block(layer.block)
        if isinstance(layer, LayersLayer):
            return self._of_chain(layer.layers)
        if isinstance(layer, (BranchesLayer, SplitLayer)):
            chains = layer.branches if isinstance(layer, BranchesLayer) else layer.split
            return 1 + sum(self._of_chain(c) for c in chains.values())
        if isinstance(layer, ResidualLayer):
            part = layer.residual
            return 1 + self._of_chain(part.body or []) + self._of_chain(part.shortcut or [])
        return 1

    def _of_chain(self, layers: Iterable[Layer]) -> int:
        total = 0
        for layer in layers:
            repeat = layer.common.repeat
            copies = repeat if isinstance(repeat, int) and repeat > 0 else 1
            total += copies * self.of_layer(layer)
        return total

    def _of_block(self, name: str) -> int:
        if name not in self.known:
            self.known[name] = 1  # a block inside itself is reported elsewhere
            block = self.blocks.get(name)
            self.known[name] = self._of_chain(block.body) if block else 1
        return self.known[name]
