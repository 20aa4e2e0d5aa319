"""Networks as tensors that know what made them, so that two of them can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from compiler.graph import Graph
from compiler.ops import Dropout, Identity, Op, Softmax
from tests.fuzz.arithmetic import Sizes, count_macs, count_parameters


@dataclass(eq=False)
class Tensor:
    """What an operation makes; `owner` is the tensor whose parameters it uses."""

    op: Op
    operands: tuple[Tensor, ...]
    sizes: Sizes
    owner: Tensor | None = None
    degree: int = 1
    """How many factors a product in it has."""

    @property
    def has_parameters(self) -> bool:
        """True for what learns, or keeps statistics."""
        return bool(self.op.parameter_names)


class Output(NamedTuple):
    """A tensor that leaves a network."""

    name: str
    tensor: Tensor
    training_only: bool = False


@dataclass(frozen=True)
class Network:
    """Inputs by name, and outputs; `listed` is true where the spec says `outputs`."""

    inputs: dict[str, Tensor]
    outputs: tuple[Output, ...]
    listed: bool
    all: tuple[Tensor, ...] = ()
    """Every tensor, in order of execution, where a graph says it."""

    @property
    def live(self) -> list[Tensor]:
        """Every tensor that an output depends on, operands first, in an order that edges fix."""
        return list(_walk(o.tensor for o in self.outputs))

    @property
    def parameters(self) -> int:
        """The learnable elements."""
        owners = {id(t.owner or t): t for t in self.live}
        return sum(count_parameters(t.op, [o.sizes for o in t.operands]) for t in owners.values())

    def macs(self, training: bool = True) -> int:
        """Return the multiply-accumulates of one sample."""
        ends = (o.tensor for o in self.outputs if training or not o.training_only)
        return sum(
            count_macs(t.op, [o.sizes for o in t.operands], t.sizes)
            for t in _walk(ends)
            if t.operands
        )

    def lines(self) -> list[str]:
        """Return the network as text in which names of layers play no part."""
        numbers: dict[int, int] = {id(t): i for i, t in enumerate(self.live)}
        names = {id(t): name for name, t in self.inputs.items()}
        owners: dict[int, int] = {}
        out = []
        for tensor in self.live:
            reads = [f"%{numbers[id(o)]}" for o in tensor.operands]
            what = f"{tensor.op}({', '.join(reads)})" if reads else names[id(tensor)]
            if tensor.has_parameters:
                owner = id(tensor.owner or tensor)
                what += f" parameters {owners.setdefault(owner, len(owners))}"
            out.append(f"%{numbers[id(tensor)]} = {what} : {tensor.sizes}")
        for output in self.outputs:
            kind = "training output" if output.training_only else "output"
            name = f"{output.name} = " if self.listed else ""
            out.append(f"{kind} {name}%{numbers[id(output.tensor)]}")
        return out

    def results(self, training: bool = False) -> list[Tensor]:
        """Return what a module gives: without `outputs`, the logits of a softmax that ends it.

        What leaves in training alone comes last.
        """
        ends = [o.tensor for o in self.outputs if not o.training_only]
        ends += [o.tensor for o in self.outputs if training and o.training_only]
        return ends if self.listed else [logits_of(end) for end in ends]


def logits_of(end: Tensor) -> Tensor:
    """Return what enters the softmax that ends a network, else the end itself."""
    at = end
    while isinstance(at.op, (Identity, Dropout)):
        at = at.operands[0]
    return at.operands[0] if isinstance(at.op, Softmax) else end


def _walk(ends: Iterable[Tensor]) -> Iterator[Tensor]:
    seen: set[int] = set()
    for end in ends:
        stack = [(end, False)]
        while stack:
            tensor, is_done = stack.pop()
            if is_done:
                yield tensor
            elif id(tensor) not in seen:
                seen.add(id(tensor))
                stack.append((tensor, True))
                stack += [(o, False) for o in reversed(tensor.operands) if id(o) not in seen]


def network_of(graph: Graph, listed: bool, sizes: dict[str, Sizes] | None = None) -> Network:
    """Return a graph as tensors; `sizes` gives those of its nodes where they are formulas."""
    made: dict[str, Tensor] = {}
    for node in graph.nodes.values():
        shape = sizes[node.name] if sizes else node.shape.numbers
        operands = tuple(made[name] for name in node.inputs)
        owner = made[node.share] if node.share else None
        made[node.name] = Tensor(node.op, operands, shape, owner)
    outputs = tuple(Output(o.name, made[o.node], o.training_only) for o in graph.outputs)
    inputs = {name: made[name] for name in graph.inputs}
    return Network(inputs, outputs, listed, tuple(made.values()))
