"""How much memory activations need, and where they can lie so that dead ones are reused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from compiler.graph import Graph


@dataclass(frozen=True, slots=True)
class Buffer:
    """A stretch of memory in use from step `first` to step `last`, both included."""

    size: int
    first: int
    last: int


def place_buffers(buffers: Sequence[Buffer], align: int = 1) -> tuple[list[int], int]:
    """Return an offset for each buffer, and the total size.

    Buffers whose steps overlap do not overlap in memory. Largest first, each into the lowest
    gap that fits: the greedy order of Pisarchyk and Lee, arXiv 2001.03288.

    >>> place_buffers([Buffer(4, 0, 1), Buffer(2, 1, 2), Buffer(4, 2, 3)])
    ([0, 4, 0], 6)
    """
    offsets = [0] * len(buffers)
    placed: list[int] = []
    for index in sorted(range(len(buffers)), key=lambda i: (-buffers[i].size, i)):
        buffer = buffers[index]
        at = 0
        for other in sorted(placed, key=lambda i: offsets[i]):
            rival = buffers[other]
            if rival.last < buffer.first or buffer.last < rival.first:
                continue
            if at + buffer.size <= offsets[other]:
                break
            at = max(at, -(-(offsets[other] + rival.size) // align) * align)
        offsets[index] = at
        placed.append(index)
    total = max((o + b.size for o, b in zip(offsets, buffers, strict=True)), default=0)
    return offsets, total


def peak_elements(graph: Graph) -> int:
    """Return the most elements per sample that are alive at once when tensors are freed early.

    Counts what an executor of one node at a time needs: a node's operands and its result,
    and whatever later nodes read. Parameters are not counted.

    Raises:
        ValueError: a size is not a number.
    """
    position = {name: at for at, name in enumerate(graph.nodes)}
    last = {name: max((position[r] for r in graph.consumers[name]), default=position[name])
            for name in graph.nodes}  # fmt: skip
    for output in graph.outputs:
        last[output.node] = len(position)
    freed: dict[int, int] = {}
    alive = peak = 0
    for name, node in graph.nodes.items():
        size = prod(node.shape.numbers)
        alive += size
        freed[last[name]] = freed.get(last[name], 0) + size
        peak = max(peak, alive)
        alive -= freed.pop(position[name], 0)
    return peak
