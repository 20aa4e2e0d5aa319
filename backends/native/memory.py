"""The memory of one network: an arena for activations, one for them in bfloat16, and scratch."""

from __future__ import annotations

from collections.abc import Collection
from math import prod

import numpy as np
import torch
from torch import Tensor

from backends.native.groups import Loop, Product
from backends.native.memory_layout import BufferView, MemoryLayout
from backends.native.rounded import Rounded, RoundingRules
from backends.native.weights import aligned_floats
from compiler.graph import Graph


class Memory:
    """Addresses and views of tensors by name, for one batch size."""

    def __init__(self, graph: Graph, layout: MemoryLayout, batch: int, parts: int) -> None:
        self.graph = graph
        self.layout = layout
        self.batch = batch
        self.parts = parts
        self.arena = aligned_floats(layout.total)
        self.rounded_arena = np.zeros(0, dtype=np.uint16)
        self.scratch = aligned_floats(0)
        # A pixel of zeros that padding points at: kernels read it like any pixel, without a branch.
        self.zeros = aligned_floats(1 + max(n.shape.numbers[0] for n in graph.nodes.values()))
        self.rounding = RoundingRules(graph, layout)
        self.rounded = Rounded()

    def view(self, name: str) -> BufferView:
        """Return where a tensor lies."""
        return self.layout.views[name]

    def address(self, name: str, channel: int = 0) -> int:
        """Return the address of a channel of a tensor's first pixel."""
        view = self.view(name)
        at = self.layout.offsets[view.buffer] + view.offset + channel
        return int(self.arena.ctypes.data) + 4 * at

    def array(self, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Return a tensor as an array (N, H, W, C) or (N, C) that shares the arena's memory."""
        view, shape = self.view(name), self.graph.nodes[name].shape.numbers
        start = self.layout.offsets[view.buffer] + view.offset
        size = self.batch * prod(shape[1:])
        rows = np.lib.stride_tricks.as_strided(
            self.arena[start:], (size, shape[0]), (4 * view.stride, 4)
        )
        if len(shape) == 1:
            return rows
        return np.lib.stride_tricks.as_strided(
            rows,
            (self.batch, *shape[1:], shape[0]),
            (4 * view.stride * shape[1] * shape[2], 4 * view.stride * shape[2], 4 * view.stride, 4),
        )

    @property
    def low(self) -> int:
        """Of a value in two parts of bfloat16, the distance between them; 0 with one part."""
        return self.arena.size if self.parts > 1 else 0

    def source(self, name: str, channel: int = 0) -> tuple[int | None, int | None]:
        """Return the address that a pooling or a sum reads: one of float32, bfloat16."""
        if name in self.rounded.read:
            return None, self.rounded_address(name, channel)
        return self.address(name, channel), None

    def target(self, name: str, channel: int = 0) -> tuple[int | None, int | None]:
        """Return the addresses that a loop writes a tensor to: float32, bfloat16."""
        wide = None if name in self.rounded.alone else self.address(name, channel)
        half = self.rounded_address(name, channel) if name in self.rounded.written else None
        return wide, half

    def rounded_address(self, name: str, channel: int = 0) -> int:
        """Return the address of a channel of a tensor's first pixel in bfloat16."""
        # On first use: a float32 run never needs it.
        if not self.rounded_arena.size:
            self.rounded_arena = aligned_floats(-(-self.arena.size * self.parts // 2)).view(
                np.uint16
            )
        # The same layout with 2 bytes a value in place of 4, so half of the byte offset.
        at = self.address(name, channel) - int(self.arena.ctypes.data)
        return int(self.rounded_arena.ctypes.data) + at // 2

    def round_for(self, loops: Collection[Loop]) -> None:
        """Decide what is written in bfloat16 when these products read it; before `steps`."""
        sources = {loop.source for loop in loops if isinstance(loop, Product)}
        rounding = {source for source in sources if self.rounding.may_round(source)}
        readers = [p for p in loops if isinstance(p, Product) and p.source in rounding]
        self.rounded = self.rounding.choose(rounding, readers)

    def reserve(self, floats: int) -> None:
        """Make the scratch memory at least so large; steps bound before keep the old one."""
        if floats > self.scratch.size:
            self.scratch = aligned_floats(floats)


def as_tensor(array: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Tensor:
    """Return an array (N, H, W, C) as a tensor (N, C, H, W) on the same memory."""
    out = torch.from_numpy(array)
    return out.permute(0, 3, 1, 2) if out.dim() == 4 else out
