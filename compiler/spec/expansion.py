"""How many operations a layer comes to, counted before any is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from compiler.ops import Layer, with_words
from compiler.spec.model import BlockLayer, BlockSpec, LayersLayer, ParallelLayer, ResidualLayer
from compiler.text import Expr, ExprError, LookUp, Unknown, evaluate

MAX_LEVELS = 100
"""Levels of blocks, branches and residuals in one another; the shipped networks have 7."""


class Expansion:
    """Counts operations from below: what is not known before it is made counts as none.

    That is a layer or branch with a `when`, and a `repeat` that is a formula of unknown value.

    Args:
        blocks: the definitions, by name.
    """

    def __init__(self, blocks: Mapping[str, BlockSpec]) -> None:
        self.blocks = blocks
        self.known: dict[str, int] = {}
        self.depth = 0

    def of_layer(self, layer: Layer, lookup: LookUp | None = None) -> int:
        """Return the least number of operations in one copy of a layer; an empty scope is one.

        `lookup` gives the parameters where the layer stands.
        """
        if isinstance(layer, BlockLayer):
            return max(1, self.of_block(layer.block))
        inner = sum(self.of_chain(chain, lookup) for chain in _certain(layer))
        has_join = not isinstance(layer, LayersLayer)
        return max(1, inner + has_join)

    def of_chain(self, layers: Iterable[Layer], lookup: LookUp | None = None) -> int:
        """Return the least number of operations in a list of layers, with all their copies."""
        return sum(self.of_copies(layer, lookup) for layer in layers)

    def of_copies(self, layer: Layer, lookup: LookUp | None = None) -> int:
        """Return the least number of operations in all copies of a layer."""
        copies = copies_of(layer, lookup) if layer.is_copied else 1
        if copies == 0 or layer.common.when not in (None, True):
            return 0
        return copies * self.of_layer(layer, lookup)

    def of_block(self, name: str) -> int:
        """Return the least number of operations in a block."""
        if name not in self.known:
            self.known[name] = 1  # a block inside itself is reported elsewhere
            block = self.blocks.get(name)
            self.depth += 1
            is_deep = self.depth > MAX_LEVELS  # reported elsewhere too
            self.known[name] = self.of_chain(block.body) if block and not is_deep else 1
            self.depth -= 1
        return self.known[name]


def _certain(layer: Layer) -> Iterable[list[Layer]]:
    """Return the lists inside a layer, but for branches that may be left out."""
    if isinstance(layer, ParallelLayer):
        return [branch.layers for branch in layer.parts.values() if branch.is_certain]
    if isinstance(layer, ResidualLayer):
        shortcut = layer.residual.shortcut
        is_certain = shortcut is None or shortcut.is_certain
        return layer.inner if is_certain else (layer.residual.body,)
    return layer.inner


def copies_of(layer: Layer, lookup: LookUp | None = None) -> int:
    """Return the number of copies of a layer that has several, 0 where it is not known."""
    if layer.common.loop is not None:
        written = [v for v in layer.common.loop.values() if isinstance(v, list)]
        return min(map(len, written), default=0)
    repeat: object = layer.common.repeat
    if isinstance(repeat, Expr) and lookup is not None:
        with suppress(ExprError, Unknown):
            repeat = evaluate(repeat, with_words(lookup))
    return repeat if isinstance(repeat, int) and repeat > 0 else 0
