"""Which tensors the native engine keeps in bfloat16: beside float32, or instead of it.

A product in bfloat16 reads its input rounded. Where all that writes the input can round as it
writes, it does so into a second arena with the same layout, and no step of its own is needed;
where nothing reads the float32 values, these are not written at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from backends.native.groups import Loop, Pooling, Product
from backends.native.memory_layout import BufferView, MemoryLayout, reads, writes
from compiler.graph import Graph
from compiler.ops import GlobalPool2d


@dataclass(frozen=True)
class Rounded:
    """Tensors that are written in bfloat16, those in bfloat16 alone, and who reads them there."""

    written: frozenset[str] = frozenset()
    alone: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()
    """What poolings and residual sums read in bfloat16, as it is there anyway."""


@dataclass(frozen=True)
class ChannelRange:
    """A tensor's channels of a buffer."""

    buffer: int
    start: int
    stop: int

    def meets(self, other: ChannelRange) -> bool:
        """Say whether two extents share a channel."""
        return self.buffer == other.buffer and self.start < other.stop and other.start < self.stop


class RoundingRules:
    """Says of the tensors of one layout which can be written in bfloat16, and which have to."""

    def __init__(self, graph: Graph, layout: MemoryLayout) -> None:
        self.graph = graph
        self.layout = layout
        self.writers = [
            (name, self.extent(loop, name), _rounds(loop))
            for loop in layout.loops
            for name in writes(loop)
        ]

    def extent(self, loop: Loop, name: str) -> ChannelRange:
        """Return the channels of a tensor that a loop writes."""
        view = self.layout.views[name]
        if isinstance(loop, Product):
            channels = next(s.stop - s.start for s in loop.segments if s.out == name)
        elif isinstance(loop, Pooling):
            channels = int(loop.node.shape.numbers[0])
        else:
            channels = self.channels(next(reads(loop)))
        return _extent(view, channels)

    def channels(self, name: str) -> int:
        """Return the channels of a tensor of the graph."""
        return int(self.graph.nodes[name].shape.numbers[0])

    def may_round(self, name: str) -> bool:
        """Say whether all that writes a tensor can round it: pairs of channels, no other loops."""
        own = _extent(self.layout.views[name], self.channels(name))
        makers = [rounds for _, extent, rounds in self.writers if extent.meets(own)]
        # The bfloat16 dot product of a CPU multiplies pairs, so an odd channel has no partner.
        return self.channels(name) % 2 == 0 and bool(makers) and all(makers)

    def choose(self, sources: Collection[str], in_bfloat16: Collection[Loop]) -> Rounded:
        """Return what to round.

        Args:
            sources: the tensors that are read in bfloat16; each passes `may_round`.
            in_bfloat16: the products that read their source there.
        """
        wanted = [_extent(self.layout.views[s], self.channels(s)) for s in sources]
        written = {name for name, extent, _ in self.writers if any(map(extent.meets, wanted))}
        read = {name for name in self.read_as_written() if self.is_written(name, written)}
        kept = [
            _extent(self.layout.views[name], self.channels(name))
            for name in self.read_in_float32(in_bfloat16, read)
        ]
        # By extents, not names: a concat is written under the names of its operands.
        needed = {name for name, extent, _ in self.writers if any(map(extent.meets, kept))}
        return Rounded(frozenset(written), frozenset(written - needed), frozenset(read))

    def read_as_written(self) -> Iterator[str]:
        """Yield the tensors whose readers take what is there."""
        for loop in self.layout.loops:
            if isinstance(loop, Pooling):
                yield loop.source
            elif isinstance(loop, Product):
                yield from (s.add for s in loop.segments if s.add)

    def is_written(self, name: str, written: Collection[str]) -> bool:
        """Say whether all of a tensor is written in bfloat16."""
        own = _extent(self.layout.views[name], self.channels(name))
        makers = [maker for maker, extent, _ in self.writers if extent.meets(own)]
        return bool(makers) and all(maker in written for maker in makers)

    def read_in_float32(
        self, in_bfloat16: Collection[Loop], read: Collection[str]
    ) -> Iterator[str]:
        """Yield the tensors that something reads in float32, outputs included."""
        for loop in self.layout.loops:
            if isinstance(loop, Product):
                if loop not in in_bfloat16:
                    yield loop.source
                yield from (s.add for s in loop.segments if s.add and s.add not in read)
            elif not isinstance(loop, Pooling) or loop.source not in read:
                yield from reads(loop)
        yield from (output.node for output in self.graph.outputs)


def _extent(view: BufferView, channels: int) -> ChannelRange:
    return ChannelRange(view.buffer, view.offset, view.offset + channels)


def _rounds(loop: Loop) -> bool:
    is_window = isinstance(loop, Pooling) and not isinstance(loop.node.op, GlobalPool2d)
    return isinstance(loop, Product) or is_window
