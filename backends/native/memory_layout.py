"""Where every tensor of the native engine lies: concats in place, dead memory used again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from backends.native.groups import Loop, Loops, Pooling, Product, RowFunction, Sum
from compiler.facts.buffers import Buffer, place_buffers
from compiler.graph import Graph
from compiler.ops import Concat

ALIGN = 16
"""Floats: one cache line."""


@dataclass(frozen=True)
class BufferView:
    """Channels of a buffer: float `offset` of it, `stride` floats from pixel to pixel."""

    buffer: int
    offset: int
    stride: int


@dataclass(frozen=True)
class MemoryLayout:
    """Loops with copies added where a concat needs them, views by tensor name, and offsets."""

    loops: tuple[Loop, ...]
    views: dict[str, BufferView]
    offsets: list[int]
    total: int
    """Floats of the whole arena."""


def reads(loop: Loop) -> Iterator[str]:
    """Yield the tensors that a loop reads."""
    match loop:
        case Product(_, source, segments):
            yield source
            yield from (s.add for s in segments if s.add)
        case Pooling(source=source) | RowFunction(source=source):
            yield source
        case Sum(a, b):
            yield a
            if b:
                yield b


def writes(loop: Loop) -> Iterator[str]:
    """Yield the tensors that a loop makes."""
    if isinstance(loop, Product):
        yield from (segment.out for segment in loop.segments)
    else:
        yield loop.out


def lay_out(graph: Graph, grouped: Loops, batch: int) -> MemoryLayout:
    """Return the layout for a batch size.

    Raises:
        ValueError: a size is not a number.
    """
    return _Placement(graph, grouped, batch).run()


class _Placement:
    def __init__(self, graph: Graph, grouped: Loops, batch: int) -> None:
        self.graph = graph
        self.grouped = grouped
        self.batch = batch
        self.loops = list(zip(grouped.positions, grouped.loops, strict=True))
        self.position = {name: at for at, name in enumerate(graph.nodes)}
        self.made = {name for loop in grouped.loops for name in writes(loop)}
        self.views: dict[str, BufferView] = {}
        self.sizes: list[int] = []

    def run(self) -> MemoryLayout:
        # Last concat first: one that is an operand itself has its place before its operands do.
        for node in reversed(list(self.graph.nodes.values())):
            if isinstance(node.op, Concat):
                self.place_concat(node.name, node.inputs)
        for name in self.graph.nodes:
            # A concat was placed above; a slice or a flatten is a view and needs no memory.
            if name in self.made or name in self.graph.inputs:
                self.own(name)
        for name, alias in self.grouped.aliases.items():  # in graph order: `of` is placed
            of = self.views[alias.of]
            self.views[name] = BufferView(of.buffer, of.offset + alias.start, of.stride)
        # The copies of `place_concat` were appended: they run where their concat is in the graph.
        self.loops.sort(key=lambda entry: entry[0])
        loops = tuple(loop for _, loop in self.loops)
        offsets, total = place_buffers(self.lifetimes(loops), ALIGN)
        return MemoryLayout(loops, self.views, offsets, total)

    def own(self, name: str) -> BufferView:
        """Return the view of a tensor, with a buffer of its own unless it has one."""
        if name not in self.views:
            shape = self.graph.nodes[name].shape.numbers
            self.views[name] = BufferView(len(self.sizes), 0, shape[0])
            self.sizes.append(self.batch * prod(shape))
        return self.views[name]

    def place_concat(self, name: str, operands: tuple[str, ...]) -> None:
        """Put operands into their concat; copy those that are elsewhere already."""
        whole = self.own(name)
        at = whole.offset
        for operand in operands:
            place = BufferView(whole.buffer, at, whole.stride)
            # Written in place by its producer, so the concat itself costs nothing.
            if self.may_move(operand):
                self.views[operand] = place
            else:
                # `<` is in no name of a spec, so the copy's name is free.
                part = f"{name}<{at}"
                self.views[part] = place
                self.loops.append((self.position[name], Sum(operand, None, part)))
            at += self.graph.nodes[operand].shape.numbers[0]

    def may_move(self, name: str) -> bool:
        concat = isinstance(self.graph.nodes[name].op, Concat)
        return (name in self.made or concat) and name not in self.views

    def lifetimes(self, loops: tuple[Loop, ...]) -> list[Buffer]:
        first = [len(loops)] * len(self.sizes)
        last = [-1] * len(self.sizes)
        for name in self.graph.inputs:
            # Inputs are written before the first loop, outputs are read after the last.
            first[self.views[name].buffer] = -1
        for at, loop in enumerate(loops):
            for name in (*reads(loop), *writes(loop)):
                buffer = self.views[name].buffer
                first[buffer] = min(first[buffer], at)
                last[buffer] = max(last[buffer], at)
        for output in self.graph.outputs:
            last[self.views[output.node].buffer] = len(loops)
        return [
            Buffer(-(-size // ALIGN) * ALIGN, a, b)
            for size, a, b in zip(self.sizes, first, last, strict=True)
        ]
