"""Panels of products: packed weights, in memory or in a file, and where their outputs go."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from torch import Tensor

from backends.native import steps as c
from backends.native.compiled_library import Library
from backends.native.groups import Product
from backends.native.memory import Memory
from backends.native.weight_file import move_to_file
from backends.native.weights import (
    TILES_ACROSS,
    Floats,
    Method,
    Packed,
    Panel,
    Vector,
    pack,
    parts_of,
    split_panels,
)
from backends.state.parameters import State


class Panels:
    """The panels of a network's products, each made once per product and method.

    Args:
        state: the network's parameters.
        memory: where its tensors are.
        library: the kernels that read the panels.
    """

    def __init__(self, state: State, memory: Memory, library: Library) -> None:
        self.state = state
        self.memory = memory
        self.library = library
        self.packed: dict[tuple[str, Method], Packed] = {}
        self._made: dict[tuple[str, Method], ctypes.Array[c.Panel]] = {}
        self._targets: list[ctypes.Array[c.Target]] = []

    def weight(self, loop: Product) -> Tensor:
        """Return the weight of a product, (O, C, kH, kW) or (O, C)."""
        return self.state[f"{loop.node.share or loop.node.name}.weight"]

    def split(self, loop: Product, method: Method) -> tuple[Panel, ...]:
        """Return the panels of output channels of a product."""
        most = self.library.max_vectors
        if self.library.has_tiles and parts_of(method):
            most = TILES_ACROSS
        return split_panels(loop.segments, self.library.width, most)

    def weights(self, loop: Product, method: Method) -> Floats:
        """Return the packed weights of a product."""
        key = loop.node.name, method
        if key not in self.packed:
            self.packed[key] = self._pack(loop, method)
        return self.packed[key].weights

    def of(self, loop: Product, method: Method) -> ctypes.Array[c.Panel]:
        """Return the panels of a product as the kernels read them."""
        key = loop.node.name, method
        if key not in self._made:
            self._made[key] = self._make(loop, method)
        return self._made[key]

    def move_to_file(self, products: Sequence[tuple[Product, Method]]) -> list[Floats]:
        """Pack the weights of products into a file, and return them mapped from there.

        Raises:
            BackendError: the file cannot be written or mapped.
        """
        moved = move_to_file(self._pack(*product) for product in products)
        for (loop, method), packed in zip(products, moved, strict=True):
            self.packed[loop.node.name, method] = packed
        return [packed.weights for packed in moved]

    def clear(self) -> None:
        """Let go of all that was made."""
        self.packed.clear()
        self._made.clear()
        self._targets.clear()

    def _pack(self, loop: Product, method: Method) -> Packed:
        bias = self.state.get(f"{loop.node.share or loop.node.name}.bias")
        parts, library = self.split(loop, method), self.library
        return pack(self.weight(loop), bias, parts, library.width, method, library.has_tiles)

    def _make(self, loop: Product, method: Method) -> ctypes.Array[c.Panel]:
        parts, weights = self.split(loop, method), self.weights(loop, method).ctypes.data
        packed = self.packed[loop.node.name, method]
        epilogue = packed.epilogue.ctypes.data
        panels = (c.Panel * len(parts))()
        offsets = zip(parts, packed.weight_offsets, packed.epilogue_offsets, strict=True)
        for index, (part, weight_at, epilogue_at) in enumerate(offsets):
            targets = (c.Target * len(part))(*(self._target(vector) for vector in part))
            self._targets.append(targets)
            bias = epilogue + epilogue_at
            floor = bias + 4 * len(part) * self.library.width
            panels[index] = c.Panel(weights + weight_at, bias, floor, targets, len(part))
        return panels

    def _target(self, vector: Vector) -> c.Target:
        segment, channel = vector.segment, vector.start - vector.segment.start
        return c.Target(
            *self.memory.target(segment.out, channel),
            *(self.memory.source(segment.add, channel) if segment.add else (None, None)),
            self.memory.view(segment.out).stride,
            self.memory.view(segment.add).stride if segment.add else 0,
            vector.stop - vector.start,
            self.memory.low,
        )
