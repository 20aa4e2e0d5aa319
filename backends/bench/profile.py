"""Where the time of the native engine goes: its steps, grouped by what they compute and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backends.run.engines import load_registered
from backends.run.targets import Request
from compiler.graph import Node, number
from compiler.ops import Conv2d

_ROUNDS = 7


@dataclass
class Share:
    """Steps of one kind: how many, their milliseconds in one run, and their products."""

    what: str
    steps: int = 0
    milliseconds: float = 0.0
    gmacs: float = 0.0
    """GMAC of the direct computation; a short convolution computes fewer."""


Steps = list[tuple[str, float]]


def load_profile() -> Callable[[Request], Callable[[], Steps]]:
    """Return what the native engine registers: a network -> its steps and their seconds.

    Raises:
        BackendError: the native engine is not installed.
    """
    return load_registered("the profile", "native.profile")


def profile_native(request: Request) -> list[Share]:
    """Return the shares of one run, largest first; every step is timed alone, best of several.

    Raises:
        BackendError: the native engine cannot run the graph here.
    """
    graph, batch, run = request.graph, len(request.inputs[0]), load_profile()(request)
    runs = [run() for _ in range(_ROUNDS)]
    shares: dict[str, Share] = {}
    counted: set[str] = set()
    for entries in zip(*runs, strict=True):
        label = entries[0][0]
        name, _, method = label.partition(" ")
        node = graph.nodes.get(name)
        share = shares.setdefault(what := _what(node, method), Share(what))
        share.steps += 1
        share.milliseconds += 1e3 * min(seconds for _, seconds in entries)
        if node is not None and name not in counted:
            counted.add(name)
            share.gmacs += number(graph.count_macs(node)) * batch / 1e9
    return sorted(shares.values(), key=lambda share: -share.milliseconds)


def _what(node: Node | None, method: str) -> str:
    if node is None:
        return "copy into a concat"
    if not isinstance(node.op, Conv2d):
        return node.op.kind
    size, stride = ("x".join(map(str, pair)) for pair in (node.op.kernel_size, node.op.stride))
    how = f"F({'x'.join(method.split('_')[1:3])})" if method.startswith("f_") else method
    return f"{size} convolution{'' if stride == '1x1' else ' /2'}, {how}"
