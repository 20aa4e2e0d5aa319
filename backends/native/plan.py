"""Optimised graph -> the table of steps that the native kernels walk through."""

from __future__ import annotations

import ctypes
from collections.abc import Collection
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor

from backends.native import library as c
from backends.native.groups import Loop, Pooling, Product, RowFunction, Sum, group_loops
from backends.native.layout import View, lay_out
from backends.native.rounded import Rounded, Rounding
from backends.native.transforms import Variant, variants_of
from backends.native.weights import Vector, aligned_floats, pack, split_panels
from backends.parameters import State
from compiler.graph import Graph, Node
from compiler.ops import AvgPool2d, Conv2d, GlobalPool2d, MaxPool2d
from compiler.shapes import Shape

SCRATCH_LIMIT = 2 << 20
"""Most floats that transformed inputs may take at a time; larger ones go in groups of tiles."""


@dataclass(frozen=True)
class Choice:
    """How a product is computed: directly in a dtype or by a Winograd variant, in which chunks."""

    method: Variant | torch.dtype
    chunk: int
    """Pixels or tiles per task."""

    @property
    def text(self) -> str:
        """The method as a word for lock files and profiles: `f_6_6_3_3`, `bfloat16`."""
        method = self.method
        return method.name if isinstance(method, Variant) else str(method).removeprefix("torch.")


class NativePlan:
    """The steps of one network for one batch size, bound to memory.

    Not safe for two calls at a time: the arena is part of it.
    """

    def __init__(self, graph: Graph, state: State, batch: int, threads: int) -> None:
        self.graph = graph
        self.state = state
        self.batch = batch
        self.threads = threads
        self.layout = lay_out(graph, group_loops(graph), batch)
        self.library = c.load_library()
        self.arena = aligned_floats(self.layout.total)
        self.zeros = aligned_floats(1 + max(n.shape.numbers[0] for n in graph.nodes.values()))
        self.scratch = aligned_floats(0)
        self.rounding = Rounding(graph, self.layout)
        self.rounded = Rounded()
        self.rounded_arena = np.zeros(0, dtype=np.uint16)
        self.kept: list[object] = []
        self.panels: dict[object, ctypes.Array[c.Panel]] = {}
        self.tables: dict[object, np.ndarray[tuple[int, ...], np.dtype[np.int32]]] = {}

    def view(self, name: str) -> View:
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

    def target(self, name: str, channel: int = 0) -> tuple[int | None, int | None]:
        """Return the addresses that a loop writes a tensor to: float32, bfloat16."""
        wide = None if name in self.rounded.alone else self.address(name, channel)
        half = self.rounded_address(name, channel) if name in self.rounded.written else None
        return wide, half

    def rounded_address(self, name: str, channel: int = 0) -> int:
        """Return the address of a channel of a tensor's first pixel in bfloat16."""
        if not self.rounded_arena.size:
            self.rounded_arena = aligned_floats(-(-self.arena.size // 2)).view(np.uint16)
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

    def steps(self, loop: Loop, choice: Choice | None = None) -> list[c.Step]:
        """Bind a loop: one step, or several for Winograd.

        Args:
            loop: one of `layout.loops`.
            choice: for a product, how; None: directly in float32.
        """
        match loop:
            case Product():
                return self._product(loop, choice or Choice(torch.float32, 64))
            case Pooling():
                return [self._pooling(loop)]
            case Sum():
                return [self._sum(loop)]
            case RowFunction():
                return [self._rows(loop)]

    def _step(self, kind: str, args: ctypes.Structure) -> c.Step:
        self.kept.append(args)
        return c.Step(c.KINDS.index(kind), ctypes.addressof(args), 0)

    def _product(self, loop: Product, choice: Choice) -> list[c.Step]:
        panels = self._panels(loop, choice.method)
        if isinstance(choice.method, Variant):
            return self._winograd(loop, panels, choice.method, choice.chunk)
        args = self._direct(loop, panels, choice.chunk)
        if choice.method == torch.float32:
            return [self._step("conv", args)]
        if self.rounding.may_round(loop.source):
            args.in_, args.channels = self.rounded_address(loop.source), args.channels // 2
            return [self._step("conv_bfloat16", args)]
        rounding = self._rounding(loop.source)
        args.in_, args.in_stride = rounding.out, -(-rounding.channels // 2) * 2
        args.channels = -(-rounding.channels // 2)
        return [self._step("round", rounding), self._step("conv_bfloat16", args)]

    def _rounding(self, name: str) -> c.Rounding:
        shape = self.graph.nodes[name].shape.numbers
        pixels = self.batch * prod(shape[1:])
        self.reserve(pixels * -(-shape[0] // 2))
        self.kept.append(self.scratch)
        out = self.scratch.ctypes.data
        return c.Rounding(self.address(name), out, self.view(name).stride, pixels, shape[0])

    def _panels(self, loop: Product, method: Variant | torch.dtype) -> ctypes.Array[c.Panel]:
        key = (loop.node.name, method)
        if key in self.panels:
            return self.panels[key]
        width = self.library.width
        parts = split_panels(loop.segments, width, self.library.max_vectors)
        name = loop.node.share or loop.node.name
        weight, bias = self.state[f"{name}.weight"], self.state.get(f"{name}.bias")
        packed = pack(weight, bias, parts, width, method)
        panels = (c.Panel * len(parts))()
        self.kept += [packed, panels]
        weights, epilogue = packed.weights.ctypes.data, packed.epilogue.ctypes.data
        offsets = zip(parts, packed.weight_offsets, packed.epilogue_offsets, strict=True)
        for index, (part, weight_at, epilogue_at) in enumerate(offsets):
            targets = (c.Target * len(part))(*(self._target(vector) for vector in part))
            bias_address = epilogue + epilogue_at
            panels[index] = c.Panel(
                weights + weight_at,
                bias_address,
                bias_address + 4 * len(part) * width,
                targets,
                len(part),
            )
            self.kept.append(targets)
        self.panels[key] = panels
        return panels

    def _target(self, vector: Vector) -> c.Target:
        segment, channel = vector.segment, vector.start - vector.segment.start
        return c.Target(
            *self.target(segment.out, channel),
            self.address(segment.add, channel) if segment.add else None,
            self.view(segment.out).stride,
            self.view(segment.add).stride if segment.add else 0,
            vector.stop - vector.start,
        )

    def forget(self) -> None:
        """Let go of everything that was bound, so that only what is bound next takes memory."""
        self.kept.clear()
        self.panels.clear()

    def scratch_floats(self, loop: Loop, choice: Choice | None) -> int:
        """Return the scratch memory that a product needs when it is computed by a choice."""
        if not isinstance(loop, Product) or choice is None or choice.method == torch.float32:
            return 0
        shape = self.graph.nodes[loop.source].shape.numbers
        if isinstance(choice.method, Variant):
            return self._transformed_floats(loop, choice.method)
        if self.rounding.may_round(loop.source):
            return 0
        return self.batch * prod(shape[1:]) * -(-shape[0] // 2)

    def _tile_group(self, loop: Product, variant: Variant) -> int:
        """Return the tiles that are transformed at a time."""
        total = self.tiles(loop, variant)
        channels = self.graph.nodes[loop.source].shape.numbers[0]
        groups = -(-total // max(1, SCRATCH_LIMIT // (prod(variant.points) * channels)))
        return -(-total // groups)

    def _transformed_floats(self, loop: Product, variant: Variant) -> int:
        channels = self.graph.nodes[loop.source].shape.numbers[0]
        a_point = self._tile_group(loop, variant) * channels
        return prod(variant.points) * (a_point + 16)  # and a cache line, see `point_stride`

    def tiles(self, loop: Product, variant: Variant) -> int:
        """Return the number of tiles of a product in all images."""
        return self.batch * prod(_tile_grid(loop.node, variant))

    def _direct(self, loop: Product, panels: ctypes.Array[c.Panel], chunk: int) -> c.Conv:
        source = self.graph.nodes[loop.source]
        source_pixels = prod(source.shape.numbers[1:])
        table = self._table(loop.node, source.shape)
        return c.Conv(
            self.address(loop.source),
            self.view(loop.source).stride,
            source_pixels,
            len(table),
            table.ctypes.data,
            self.zeros.ctypes.data,
            panels,
            self.batch,
            table.shape[1],
            source.shape.numbers[0],
            len(panels),
            chunk,
        )

    def _table(self, node: Node, shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
        """Return the input pixel of every output pixel and tap, -1 for padding."""
        op = node.op
        if not isinstance(op, Conv2d):
            return self.tables.setdefault("linear", np.zeros((1, 1), dtype=np.int32))
        pads = op.pads(shape)
        key = (shape.grid, op.kernel_size, op.stride, op.dilation, pads)
        if key not in self.tables:
            axes = [
                _axis_table(int(size), out, k, s, d, p[0])
                for size, out, k, s, d, p in zip(
                    shape.numbers[1:], node.shape.numbers[1:],
                    op.kernel_size, op.stride, op.dilation, pads, strict=True,
                )
            ]  # fmt: skip
            rows, columns = axes
            index = rows[:, None, :, None] * shape.numbers[2] + columns[None, :, None, :]
            outside = (rows[:, None, :, None] < 0) | (columns[None, :, None, :] < 0)
            table = np.where(outside, -1, index).astype(np.int32)
            self.tables[key] = table.reshape(table.shape[0] * table.shape[1], -1)
        return self.tables[key]

    def _winograd(
        self, loop: Product, panels: ctypes.Array[c.Panel], variant: Variant, chunk: int
    ) -> list[c.Step]:
        op = loop.node.op
        assert isinstance(op, Conv2d)
        shape, out = self.graph.nodes[loop.source].shape, loop.node.shape.numbers
        pads = op.pads(shape)
        down, across = _tile_grid(loop.node, variant)
        total = self.tiles(loop, variant)
        group = self._tile_group(loop, variant)
        self.reserve(self._transformed_floats(loop, variant))
        steps = []
        for first in range(0, total, group):
            args = c.Winograd(
                self.address(loop.source), self.view(loop.source).stride, self.zeros.ctypes.data,
                self.scratch.ctypes.data, self.library.transform("data", variant),
                self.library.transform("output", variant), panels,
                shape.numbers[0], len(panels), first, min(group, total - first), chunk,
                shape.numbers[1], shape.numbers[2], out[1], out[2], pads[0][0], pads[1][0],
                down, across, *variant.outputs, *variant.points,
            )  # fmt: skip
            self.kept.append(self.scratch)
            steps.append(self._step("winograd_data", args))
            steps.append(self._step("winograd_product", args))
        return steps

    def _pooling(self, loop: Pooling) -> c.Step:
        op, shape = loop.node.op, self.graph.nodes[loop.source].shape
        source, target = self.view(loop.source), self.view(loop.out)
        start, strides = self.address(loop.source), (source.stride, target.stride)
        if isinstance(op, GlobalPool2d):
            pixels = shape.numbers[1] * shape.numbers[2]
            mean, out = int(op.function == "avg"), self.address(loop.out)
            args = c.GlobalPool(start, out, *strides, self.batch, shape.numbers[0], pixels, mean)
            return self._step("global_pool", args)
        assert isinstance(op, MaxPool2d | AvgPool2d)
        (top, bottom), (left, right) = op.pads(shape)
        mean = isinstance(op, AvgPool2d)
        count_pad = isinstance(op, AvgPool2d) and op.count_include_pad
        window = c.Pool(
            start, *self.target(loop.out), *strides, 0.0 if loop.relu else -np.inf,
            self.batch, *shape.numbers, *loop.node.shape.numbers[1:], *op.kernel_size, *op.stride,
            top, left, mean, count_pad, bottom, right,
        )  # fmt: skip
        return self._step("pool", window)

    def _sum(self, loop: Sum) -> c.Step:
        shape = self.graph.nodes[loop.a].shape.numbers
        args = c.Elementwise(
            self.address(loop.a), self.address(loop.b) if loop.b else None, self.address(loop.out),
            self.view(loop.a).stride, self.view(loop.b).stride if loop.b else 0,
            self.view(loop.out).stride, self.batch * prod(shape[1:]),
            0.0 if loop.relu else -np.inf, loop.factor, shape[0],
        )  # fmt: skip
        return self._step("elementwise", args)

    def _rows(self, loop: RowFunction) -> c.Step:
        shape = self.graph.nodes[loop.source].shape.numbers
        rows = self.batch * prod(shape[1:])
        args = c.Rows(
            self.address(loop.source), self.address(loop.out),
            self.view(loop.source).stride, self.view(loop.out).stride, rows, shape[0],
        )  # fmt: skip
        return self._step(loop.kind, args)


def _tile_grid(node: Node, variant: Variant) -> tuple[int, int]:
    height, width = node.shape.numbers[1:]
    return -(-height // variant.outputs[0]), -(-width // variant.outputs[1])


def _axis_table(
    size: int, out: int, kernel: int, stride: int, dilation: int, before: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return the input index of every output index and tap of one axis, -1 outside."""
    at = np.arange(out)[:, None] * stride - before + np.arange(kernel)[None, :] * dilation
    return np.where((at >= 0) & (at < size), at, -1)


def candidates(graph: Graph, node: Node) -> tuple[Variant, ...]:
    """Return the Winograd variants that can compute a node: for stride and dilation 1."""
    op = node.op
    if not isinstance(op, Conv2d) or op.groups != 1 or op.stride != (1, 1) or op.dilation != (1, 1):
        return ()
    channels = graph.input_shapes(node)[0].channels
    whole = isinstance(channels, int) and channels % 16 == 0
    return variants_of(op.kernel_size) if whole else ()


def tensor_of(array: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Tensor:
    """Return an array (N, H, W, C) as a tensor (N, C, H, W) on the same memory."""
    out = torch.from_numpy(array)
    return out.permute(0, 3, 1, 2) if out.dim() == 4 else out
