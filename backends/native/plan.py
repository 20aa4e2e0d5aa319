"""Optimised graph -> the table of steps that the native kernels walk through."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch

from backends.native import steps as c
from backends.native.compiled_library import load_library
from backends.native.groups import Loop, Pooling, Product, RowFunction, Sum, group_loops
from backends.native.memory import Memory
from backends.native.memory_layout import lay_out
from backends.native.panels import Panels
from backends.native.pixels import PixelTable, pixel_table
from backends.native.transforms import variants_of
from backends.native.weight_file import page_moves
from backends.native.weights import Floats, Method
from backends.state.parameters import State
from backends.winograd import Variant
from compiler.graph import Graph, Node, Shape
from compiler.ops import AvgPool2d, Conv2d, GlobalPool2d, MaxPool2d


@dataclass(frozen=True)
class Choice:
    """How a product is computed: directly in a dtype or by a Winograd variant, in which chunks."""

    method: Method
    chunk: int
    """Pixels or tiles per task."""
    groups: int = 1
    """Into how many groups of panels a task of matrix tiles is split besides."""

    @property
    def text(self) -> str:
        """The method as a word for lock files and profiles: `f_6_6_3_3`, `bfloat16`."""
        method = self.method
        return method.name if isinstance(method, Variant) else str(method).removeprefix("torch.")


class NativePlan:
    """The steps of one network for one batch size, bound to memory.

    Not safe for two calls at a time: the arena is part of it.
    """

    def __init__(self, graph: Graph, state: State, batch: int, threads: int, parts: int) -> None:
        self.graph = graph
        self.batch = batch
        self.threads = threads
        self.layout = lay_out(graph, group_loops(graph), batch)
        self.library = load_library()
        self.memory = Memory(graph, self.layout, batch, parts)
        self.kept: list[object] = []
        self.panels = Panels(state, self.memory, self.library)
        self.last_by_tiles: c.Conv | None = None
        self.tables: dict[object, PixelTable] = {}

    def steps(self, loop: Loop, choice: Choice | None = None) -> list[c.Step]:
        """Bind a loop: one step, or two where the input is rounded first.

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

    def bind_all(
        self, pairs: Sequence[tuple[Loop, Choice | None]], weights_in_file: bool
    ) -> list[list[c.Step]]:
        """Bind all loops in order, as `steps`; pages of weights in a file come and go with them."""
        products = [
            (loop, choice.method) for loop, choice in pairs if choice and isinstance(loop, Product)
        ]
        if not weights_in_file or not products:
            return [self.steps(loop, choice) for loop, choice in pairs]
        moves = page_moves(self.panels.move_to_file(products))
        first, *before, last = [self._step("pages", pages) for pages in moves]
        bound = [self.steps(loop, choice) for loop, choice in pairs]
        # A step that maps the pages of the next product goes before each product, so that reading a
        # page overlaps with computing.
        coming = iter(before)
        for steps, (_, choice) in zip(bound, pairs, strict=True):
            if choice:
                steps.insert(0, next(coming))
        bound[0].insert(0, first)
        bound[-1].append(last)
        return bound

    def _step(self, kind: str, args: ctypes.Structure) -> c.Step:
        self.kept.append(args)
        return c.Step(c.KINDS.index(kind), ctypes.addressof(args))

    def _product(self, loop: Product, choice: Choice) -> list[c.Step]:
        panels = self.panels.of(loop, choice.method)
        if isinstance(choice.method, Variant):
            return [self._winograd(loop, panels, choice.method, choice.chunk)]
        args = self._direct(loop, panels, choice)
        if choice.method == torch.float32:
            return [self._step("conv", args)]
        steps = []
        if self.memory.rounding.may_round(loop.source):
            args.in_, args.low = self.memory.rounded_address(loop.source), self.memory.low
        else:
            rounding = self._round_args(loop.source)
            args.in_, args.in_stride, args.low = rounding.out, rounding.out_stride, rounding.low
            steps = [self._step("round", rounding)]
        if self.library.has_tiles:
            self._fetch_ahead(args, self.panels.weights(loop, choice.method))
            return [*steps, self._step("conv_tiles", args)]
        # The instruction (AVX512-BF16 `vdpbf16ps`) multiplies and adds two neighbouring values.
        args.channels = -(-args.channels // 2)  # pairs
        return [*steps, self._step("conv_bfloat16", args)]

    def _fetch_ahead(self, conv: c.Conv, weights: Floats) -> None:
        """Have the product by tiles before this one fetch its weights."""
        if self.last_by_tiles is not None:
            self.last_by_tiles.ahead = c.Ahead(
                weights.ctypes.data, weights.nbytes, conv.groups == 1
            )
        self.last_by_tiles = conv

    def _round_args(self, name: str) -> c.Rounding:
        channels, *size = self.graph.nodes[name].shape.numbers
        pixels, parts = self.batch * prod(size), self.memory.parts
        stride = self._rounded_stride(channels)
        self.memory.reserve(-(-parts * pixels * stride // 2))
        self.kept.append(self.memory.scratch)
        out = self.memory.scratch.ctypes.data
        return c.Rounding(
            self.memory.address(name), out, self.memory.view(name).stride, stride, pixels,
            pixels * stride if parts > 1 else 0, channels,
        )  # fmt: skip

    def _rounded_stride(self, channels: int) -> int:
        """Return the values of a rounded pixel: tiles take any number, the product in pairs not."""
        return channels if self.library.has_tiles else -(-channels // 2) * 2

    def forget(self) -> None:
        """Let go of everything that was bound, so that only what is bound next takes memory."""
        self.kept.clear()
        self.panels.clear()
        self.last_by_tiles = None

    def scratch_floats(self, loop: Loop, choice: Choice | None) -> int:
        """Return the scratch memory that a product needs when it is computed by a choice."""
        if not isinstance(loop, Product) or choice is None or choice.method == torch.float32:
            return 0
        shape = self.graph.nodes[loop.source].shape.numbers
        if isinstance(choice.method, Variant) or self.memory.rounding.may_round(loop.source):
            return 0
        values = self.batch * prod(shape[1:]) * self._rounded_stride(shape[0])
        return -(-self.memory.parts * values // 2)

    def tiles(self, loop: Product, variant: Variant) -> int:
        """Return the number of tiles of a product in all images."""
        return self.batch * prod(_tile_grid(loop.node, variant))

    def _direct(self, loop: Product, panels: ctypes.Array[c.Panel], choice: Choice) -> c.Conv:
        source = self.graph.nodes[loop.source]
        source_pixels = prod(source.shape.numbers[1:])
        table = self._table(loop.node, source.shape)
        return c.Conv(
            self.memory.address(loop.source),
            self.memory.view(loop.source).stride,
            source_pixels,
            len(table),
            0,
            table.ctypes.data,
            self.memory.zeros.ctypes.data,
            panels,
            c.Ahead(),
            self.batch,
            table.shape[1],
            source.shape.numbers[0],
            len(panels),
            choice.chunk,
            choice.groups,
        )

    def _table(self, node: Node, shape: Shape) -> PixelTable:
        """Return the input pixel of every output pixel and tap, -1 for padding."""
        op = node.op
        # A linear layer is a 1x1 convolution of one pixel.
        if not isinstance(op, Conv2d):
            return self.tables.setdefault("linear", np.zeros((1, 1), dtype=np.int32))
        pads = op.pads(shape)
        # Equal geometries share a table: repeated blocks have dozens of equal convolutions.
        key = (shape.grid, op.kernel_size, op.stride, op.dilation, pads)
        if key not in self.tables:
            height, width = shape.numbers[1:]
            out = node.shape.numbers[1], node.shape.numbers[2]
            self.tables[key] = pixel_table(
                (height, width), out, op.kernel_size, op.stride, op.dilation, pads
            )
        return self.tables[key]

    def _winograd(
        self, loop: Product, panels: ctypes.Array[c.Panel], variant: Variant, chunk: int
    ) -> c.Step:
        op = loop.node.op
        assert isinstance(op, Conv2d)
        shape, out = self.graph.nodes[loop.source].shape, loop.node.shape.numbers
        pads = op.pads(shape)
        down, across = _tile_grid(loop.node, variant)
        memory = self.memory
        args = c.Winograd(
            memory.address(loop.source), memory.view(loop.source).stride,
            memory.zeros.ctypes.data, None,
            self.library.transform("data", variant),
            self.library.transform("output", variant), panels,
            shape.numbers[0], len(panels), 0, self.tiles(loop, variant), chunk,
            shape.numbers[1], shape.numbers[2], out[1], out[2], pads[0][0], pads[1][0],
            down, across, *variant.outputs, *variant.points, 4,
        )  # fmt: skip
        return self._step("winograd", args)

    def _pooling(self, loop: Pooling) -> c.Step:
        op, shape = loop.node.op, self.graph.nodes[loop.source].shape
        memory = self.memory
        source, target = memory.view(loop.source), memory.view(loop.out)
        start, strides = memory.source(loop.source), (source.stride, target.stride, memory.low)
        if isinstance(op, GlobalPool2d):
            pixels = shape.numbers[1] * shape.numbers[2]
            mean, out = int(op.function == "avg"), memory.address(loop.out)
            args = c.GlobalPool(*start, out, *strides, self.batch, shape.numbers[0], pixels, mean)
            return self._step("global_pool", args)
        assert isinstance(op, MaxPool2d | AvgPool2d)
        (top, bottom), (left, right) = op.pads(shape)
        mean = isinstance(op, AvgPool2d)
        count_pad = isinstance(op, AvgPool2d) and op.count_include_pad
        window = c.Pool(
            *start, *memory.target(loop.out), *strides, 0.0 if loop.relu else -np.inf,
            self.batch, *shape.numbers, *loop.node.shape.numbers[1:], *op.kernel_size, *op.stride,
            top, left, mean, count_pad, bottom, right,
        )  # fmt: skip
        return self._step("pool", window)

    def _sum(self, loop: Sum) -> c.Step:
        shape = self.graph.nodes[loop.a].shape.numbers
        memory = self.memory
        args = c.Elementwise(
            memory.address(loop.a), memory.address(loop.b) if loop.b else None,
            memory.address(loop.out),
            memory.view(loop.a).stride, memory.view(loop.b).stride if loop.b else 0,
            memory.view(loop.out).stride, self.batch * prod(shape[1:]),
            0.0 if loop.relu else -np.inf, loop.factor, shape[0],
        )  # fmt: skip
        return self._step("elementwise", args)

    def _rows(self, loop: RowFunction) -> c.Step:
        shape = self.graph.nodes[loop.source].shape.numbers
        rows = self.batch * prod(shape[1:])
        memory = self.memory
        args = c.Rows(
            memory.address(loop.source), memory.address(loop.out),
            memory.view(loop.source).stride, memory.view(loop.out).stride, rows, shape[0],
        )  # fmt: skip
        return self._step(loop.kind, args)


def _tile_grid(node: Node, variant: Variant) -> tuple[int, int]:
    height, width = node.shape.numbers[1:]
    return -(-height // variant.outputs[0]), -(-width // variant.outputs[1])


def candidates(graph: Graph, node: Node) -> tuple[Variant, ...]:
    """Return the Winograd variants that can compute a node: for stride and dilation 1."""
    op = node.op
    if not isinstance(op, Conv2d) or op.groups != 1 or op.stride != (1, 1) or op.dilation != (1, 1):
        return ()
    channels = graph.input_shapes(node)[0].channels
    whole = isinstance(channels, int) and channels % 16 == 0
    return variants_of(op.kernel_size) if whole else ()
