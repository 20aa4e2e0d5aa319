"""How many operations a layer comes to, counted before any is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from compiler.expr import Expr, ExprError, Unknown, Value, evaluate
from compiler.spec import (
    BlockLayer,
    BlockSpec,
    BranchesLayer,
    Layer,
    LayersLayer,
    ResidualLayer,
    SplitLayer,
)

MAX_LEVELS = 100
"""Levels of blocks, branches and residuals in one another; the shipped networks have 7."""

LookUp = Callable[[str], Value]


class Expansion:
    """Counts operations and scopes from below; a `repeat` that is not known counts as one copy.

    Args:
        blocks: the definitions, by name.
        repeats: False counts every `repeat` as one copy.
    """

    def __init__(self, blocks: Mapping[str, BlockSpec], *, repeats: bool = True) -> None:
        self.blocks = blocks
        self.repeats = repeats
        self.known: dict[str, int] = {}
        self.depth = 0

    def of_layer(self, layer: Layer, lookup: LookUp | None = None) -> int:
        """Return the least number of operations and scopes in one copy of a layer.

        `lookup` gives the parameters where the layer stands.
        """
        if isinstance(layer, BlockLayer):
            return 1 + self.of_block(layer.block)
        if isinstance(layer, LayersLayer):
            return 1 + self._of_chain(layer.layers, lookup)
        if isinstance(layer, (BranchesLayer, SplitLayer)):
            chains = layer.branches if isinstance(layer, BranchesLayer) else layer.split
            return 1 + sum(self._of_chain(c, lookup) for c in chains.values())
        if isinstance(layer, ResidualLayer):
            part = layer.residual
            body = self._of_chain(part.body or [], lookup)
            return 1 + body + self._of_chain(part.shortcut or [], lookup)
        return 1

    def _of_chain(self, layers: Iterable[Layer], lookup: LookUp | None) -> int:
        return sum(self._copies(layer, lookup) * self.of_layer(layer, lookup) for layer in layers)

    def _copies(self, layer: Layer, lookup: LookUp | None) -> int:
        return _copies(layer, lookup) if self.repeats else 1

    def of_block(self, name: str) -> int:
        """Return the least number of operations and scopes in a block."""
        if name not in self.known:
            self.known[name] = 1  # a block inside itself is reported elsewhere
            block = self.blocks.get(name)
            self.depth += 1
            is_deep = self.depth > MAX_LEVELS  # reported elsewhere too
            self.known[name] = self._of_chain(block.body, None) if block and not is_deep else 1
            self.depth -= 1
        return self.known[name]


def _copies(layer: Layer, lookup: LookUp | None) -> int:
    repeat = layer.common.repeat
    if isinstance(repeat, Expr) and lookup is not None:
        try:
            value = evaluate(repeat, lookup)
        except (ExprError, Unknown):
            return 1
        return value if isinstance(value, int) and value > 0 else 1
    return repeat if isinstance(repeat, int) and repeat > 0 else 1
