"""Graph -> the loops of the native engine: convolutions with their epilogues, by tensor name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compiler.errors import BackendError
from compiler.graph import Graph, Node, Shape
from compiler.ops import (
    Activation,
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    GlobalPool2d,
    Identity,
    Input,
    Linear,
    MaxPool2d,
    Normalize,
    Scale,
    Slice,
    Softmax,
)


@dataclass(frozen=True)
class Segment:
    """Output channels `start` to `stop` of a product, and what happens to them.

    `out` is the tensor made: with `add` added and, with `relu`, clipped at 0.
    """

    start: int
    stop: int
    out: str
    relu: bool = False
    add: str | None = None


@dataclass(frozen=True)
class Product:
    """A convolution or linear layer with its epilogue."""

    node: Node
    source: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Pooling:
    """A pooling window and a ReLU after it, or pooling over the whole map."""

    node: Node
    source: str
    out: str
    relu: bool


@dataclass(frozen=True)
class Sum:
    """`out = a * factor + b`, with a ReLU; without `b` a copy, a scale or a ReLU alone."""

    a: str
    b: str | None
    out: str
    factor: float = 1.0
    relu: bool = False


@dataclass(frozen=True)
class RowFunction:
    """Softmax or normalisation of vectors."""

    kind: str
    source: str
    out: str


Loop = Product | Pooling | Sum | RowFunction


@dataclass(frozen=True)
class Alias:
    """A tensor that is channels of another one, from `start`."""

    of: str
    start: int


@dataclass(frozen=True)
class Loops:
    """Everything that runs, in order, and the tensors that need no loop."""

    loops: tuple[Loop, ...]
    positions: tuple[int, ...]
    """Of each loop, the place in the graph of the node that it completes."""
    aliases: dict[str, Alias]


def group_loops(graph: Graph) -> Loops:
    """Return the loops that compute a graph that was optimised for inference.

    Raises:
        BackendError: an operation that the native engine has no loop for.
    """
    return _Grouping(graph).run()


class _Grouping:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.outputs = {output.node for output in graph.outputs}
        self.position = {name: at for at, name in enumerate(graph.nodes)}
        self.fused: set[str] = set()
        self.loops: list[tuple[int, Loop]] = []
        self.aliases: dict[str, Alias] = {}

    def run(self) -> Loops:
        for node in self.graph.nodes.values():
            if node.name not in self.fused and not isinstance(node.op, Input):
                self.add(node)
        # A fused sum is emitted at the product, but runs at the sum, when both operands exist.
        self.loops.sort(key=lambda entry: entry[0])
        positions = tuple(at for at, _ in self.loops)
        return Loops(tuple(loop for _, loop in self.loops), positions, self.aliases)

    def emit(self, at: str, loop: Loop) -> None:
        self.loops.append((self.position[at], loop))

    def reader(self, name: str) -> Node | None:
        """Return the only consumer of a tensor that is no output of the network."""
        readers = self.graph.consumers[name]
        alone = len(readers) == 1 and name not in self.outputs
        return self.graph.nodes[readers[0]] if alone else None

    def relu_after(self, name: str) -> str:
        """Return the name of the ReLU that alone reads a tensor, now fused; or the tensor's own."""
        reader = self.reader(name)
        if reader is None or reader.op != Activation("relu"):
            return name
        self.fused.add(reader.name)
        return reader.name

    def add(self, node: Node) -> None:
        match node.op:
            case Conv2d(groups=1) | Linear():
                self.product(node)
            case GlobalPool2d():  # its loop takes no ReLU
                self.emit(node.name, Pooling(node, node.inputs[0], node.name, relu=False))
            case MaxPool2d() | AvgPool2d():
                out = self.relu_after(node.name)
                self.emit(node.name, Pooling(node, node.inputs[0], out, out != node.name))
            case Slice(start):
                self.aliases[node.name] = Alias(node.inputs[0], start)
            case Softmax() | Normalize():
                kind = node.op.kind.lower()
                self.emit(node.name, RowFunction(kind, node.inputs[0], node.name))
            case Concat():
                pass  # its operands are written into it, see `layout.py`
            case _:
                self.elementwise(node)

    def elementwise(self, node: Node) -> None:
        source = node.inputs[0]
        match node.op:
            case Dropout() | Identity():
                self.aliases[node.name] = Alias(source, 0)
            case Flatten() if self.is_pixel(source):
                self.aliases[node.name] = Alias(source, 0)
            case Activation("relu"):
                self.emit(node.name, Sum(source, None, node.name, relu=True))
            case Scale(factor):
                self.emit(node.name, Sum(source, None, node.name, factor))
            case Add() if len(node.inputs) == 2:
                out = self.relu_after(node.name)
                self.emit(node.name, Sum(source, node.inputs[1], out, relu=out != node.name))
            case _:
                lack = self.lack(node)
                raise BackendError(f"`{node.name}`: the native engine has no {lack}")

    def is_pixel(self, name: str) -> bool:
        """True for a vector, and for a map of 1x1 or one that an open size may make so."""
        grid = self.graph.nodes[name].shape.grid
        return all(size == 1 or not isinstance(size, int) for size in grid)

    def lack(self, node: Node) -> str:
        """Return what of an operation the engine has no loop for."""
        match node.op:
            case Conv2d(groups=groups):
                return f"Conv2d with groups={groups}, only with groups=1"
            case Flatten():
                return f"Flatten of a map ({self.graph.nodes[node.inputs[0]].shape.paper})"
            case BatchNorm() if node.inputs[0] in self.outputs:
                return "BatchNorm: it is not folded, since what it reads leaves too"
            case Add():
                return f"Add of {len(node.inputs)} tensors, only of 2"
        return node.op.printed_kind

    def product(self, node: Node) -> None:
        tail = self.relu_after(node.name)
        relu = tail != node.name
        slices = list(self.covering_slices(tail))
        if slices:
            segments = tuple(self.sliced(piece, relu) for piece in slices)
            self.emit(node.name, Product(node, node.inputs[0], segments))
            return
        # A kernel's epilogue is add, then clamp: a ReLU between product and sum cannot be fused.
        add = None if relu else self.addition(tail)
        channels = Shape(node.shape[:1]).numbers[0]
        if add is not None:
            other = next(name for name in add.inputs if name != tail)
            self.fused.add(add.name)
            out = self.relu_after(add.name)
            segment = Segment(0, channels, out, out != add.name, other)
            self.emit(add.name, Product(node, node.inputs[0], (segment,)))
        else:
            segment = Segment(0, channels, tail, relu)
            self.emit(node.name, Product(node, node.inputs[0], (segment,)))

    def covering_slices(self, name: str) -> Iterator[Node]:
        """Yield the slices that read a tensor, in order, if they cover it exactly."""
        readers = [self.graph.nodes[reader] for reader in self.graph.consumers[name]]
        if name in self.outputs or not all(isinstance(r.op, Slice) for r in readers):
            return
        # Merged siblings: each slice becomes a segment with its own target, without a copy.
        ordered = sorted(readers, key=lambda r: r.op.attributes()["start"])  # type: ignore[arg-type,return-value]
        at = 0
        for piece in ordered:
            assert isinstance(piece.op, Slice)
            if piece.op.start != at:
                return
            at = piece.op.stop
        if at == self.graph.nodes[name].shape.channels:
            yield from ordered

    def sliced(self, piece: Node, relu: bool) -> Segment:
        assert isinstance(piece.op, Slice)
        self.fused.add(piece.name)
        out = piece.name if relu else self.relu_after(piece.name)
        return Segment(piece.op.start, piece.op.stop, out, relu or out != piece.name)

    def addition(self, name: str) -> Node | None:
        """Return the two-operand sum that is a tensor's only consumer, once."""
        reader = self.reader(name)
        # Only one of two products can add the other's result: the earlier one.
        if reader is None or reader.name in self.fused:
            return None
        return reader if isinstance(reader.op, Add) and len(reader.inputs) == 2 else None
