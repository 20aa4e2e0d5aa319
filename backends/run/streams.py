"""A network's branches side by side on a GPU: streams that fork and join by events.

Made for recording a CUDA graph: what the events order then is all that orders the kernels, and the
Python in between is run once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

_MOST = 8
"""Streams of a network; more branches than that take turns."""


def streams_of(graph: fx.Graph) -> dict[fx.Node, int]:
    """Return the number of the stream of every computation, 0 the one that the network is run on.

    The first reader of a result goes on in its stream, every other one in a stream that nobody
    needs any more, or a new one; what joins branches goes on in the lowest of theirs.
    """
    placed: dict[fx.Node, int] = {}
    last: dict[int, fx.Node] = {}
    for node in graph.nodes:
        if not _computes(node):
            continue
        operands = [operand for operand in node.all_input_nodes if operand in placed]
        going_on = [placed[x] for x in operands if last[placed[x]] is x]
        stream = min(going_on) if going_on else _idle(last, placed)
        placed[node] = stream
        last[stream] = node
    return placed


def _computes(node: fx.Node) -> bool:
    return node.op in ("call_function", "call_module")


def _idle(last: dict[int, fx.Node], placed: dict[fx.Node, int]) -> int:
    """Return a stream whose last result was read by all that read it, or a new one."""
    for stream, node in sorted(last.items()):
        if node.users and all(user in placed for user in node.users):
            return stream
    return len(last) if len(last) < _MOST else _MOST - 1


class OnStreams(fx.Interpreter):
    """Runs a network on CUDA streams, each call with the current one as the first of them."""

    def __init__(self, network: fx.GraphModule) -> None:
        super().__init__(network)
        self.placed = streams_of(network.graph)
        cuda: Any = torch.cuda
        self.others = [cuda.Stream() for _ in range(max(self.placed.values(), default=0))]
        self.streams: list[Any] = []
        self.events: dict[object, Any] = {}
        self.held: list[Tensor] = []

    @property
    def count(self) -> int:
        """How many streams it takes."""
        return 1 + len(self.others)

    def __call__(self, *inputs: Tensor) -> Any:
        """Return what the network returns."""
        self.streams = [torch.cuda.current_stream(), *self.others]
        self.events, self.held = {}, []
        begun = self.recorded(0)
        for stream in self.others:
            stream.wait_event(begun)
        result = self.run(*inputs)
        for number in range(1, self.count):
            self.streams[0].wait_event(self.recorded(number))
        self.held = []  # from here on the first stream comes after all others
        return result

    def recorded(self, number: int) -> Any:
        """Return an event that is recorded on a stream now."""
        cuda: Any = torch.cuda
        event = cuda.Event()
        event.record(self.streams[number])
        return event

    def run_node(self, n: fx.Node) -> Any:
        """Compute a node on its stream, after its operands on others."""
        if n not in self.placed:
            return super().run_node(n)
        own = self.placed[n]
        for operand in n.all_input_nodes:
            if self.placed.get(operand, own) != own:
                self.streams[own].wait_event(self.events[operand])
                # Freed memory may be taken by the next kernel of the stream on which it was made,
                # whatever another stream still reads there.
                self.held.append(self.env[operand])
        with torch.cuda.stream(self.streams[own]):
            made = super().run_node(n)
        if any(self.placed.get(user, own) != own for user in n.users):
            self.events[n] = self.recorded(own)
        return made
