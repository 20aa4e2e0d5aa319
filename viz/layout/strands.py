"""Items with any flows between them -> rows, and strands: the vertical lines that items are on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from viz.layout.flows import ABOVE, Flow


@dataclass(slots=True)
class Strand:
    """What has one x: items that follow each other, or a lane that only lines run along."""

    nodes: list[int]
    """From the lowest up; for a lane the one node that its line comes from."""
    rows: range
    """The rows that it needs for itself, all those between its nodes included."""
    is_lane: bool = False


@dataclass(slots=True)
class Net:
    """Nodes in rows. A negative node is a box below the series, `ABOVE` is what is above it."""

    count: int
    reads: dict[int, list[int]] = field(default_factory=dict)
    readers: dict[int, list[int]] = field(default_factory=dict)
    ranks: dict[int, int] = field(default_factory=dict)
    """Node -> its row, the lowest is 0."""
    height: int = 0
    """The number of rows."""


def find_net(count: int, flows: Iterable[Flow]) -> Net:
    """Return items, in execution order, in rows: each above all that it reads."""
    net = Net(count)
    for tail, head in flows:
        # A flow inside one item is laid out by that item.
        if tail != head:
            net.reads.setdefault(head, []).append(tail)
            net.readers.setdefault(tail, []).append(head)
    below = sorted((node for node in net.readers if node < 0), reverse=True)
    ranks = net.ranks
    ranks.update(dict.fromkeys(below, 0))
    base = 1 if below else 0
    # Longest path, in one pass: items are in execution order, so tails have their rank already.
    for node in range(count):
        ranks[node] = max((ranks[t] + 1 for t in net.reads.get(node, ())), default=base)
    # A source without inputs would be in the lowest row, with a lane all the way up to its reader.
    for node in reversed(range(count)):
        later = [ranks[h] for h in net.readers.get(node, ()) if h < count]
        if node not in net.reads and later:
            ranks[node] = max(ranks[node], min(later) - 1)
    if ABOVE in net.reads:
        ranks[ABOVE] = max(ranks.values()) + 1
    net.height = max(ranks.values()) + 1
    return net


def find_strands(net: Net) -> list[Strand]:
    """Return every node in one strand; the first is the spine, the longest chain."""
    spine = _spine(net)
    taken = set(spine)
    chains = [spine]
    for node in sorted(net.ranks, key=lambda n: (-net.ranks[n], n)):
        if node not in taken:
            chains.append(_chain(net, node, taken))
    return [Strand(chain, _rows(net, chain)) for chain in chains]


def _spine(net: Net) -> list[int]:
    """Return the longest chain; where data enters from below and exits above, one from there."""
    start = _depths(net, {n for n in net.ranks if n < 0} or set(net.ranks) - set(net.reads))
    node = ABOVE if ABOVE in start else min(start, key=lambda n: (-start[n], n))
    chain = [node]
    while start[node]:
        tails = sorted(t for t in net.reads[node] if start.get(t, -1) == start[node] - 1)
        # Of chains of one length the middle one, as branches stand around it.
        node = tails[(len(tails) - 1) // 2]
        chain.append(node)
    return chain[::-1]


def _depths(net: Net, starts: set[int]) -> dict[int, int]:
    """Return how many flows the longest way from one of `starts` to each node has."""
    depths: dict[int, int] = {}
    for node in sorted(net.ranks, key=lambda n: (net.ranks[n], n)):
        ways = [depths[t] + 1 for t in net.reads.get(node, ()) if t in depths]
        if ways or node in starts:
            depths[node] = max(ways, default=0)
    return depths


def _chain(net: Net, node: int, taken: set[int]) -> list[int]:
    """Return the nodes that lead to one, as long as they are in no other chain; takes them."""
    chain = [node]
    taken.add(node)
    while free := [t for t in net.reads.get(chain[-1], ()) if t not in taken]:
        chain.append(max(free, key=lambda t: (net.ranks[t], -t)))
        taken.add(chain[-1])
    return chain[::-1]


def _rows(net: Net, chain: list[int]) -> range:
    """Return the rows of a chain, and those that its line passes on the way to its last reader."""
    last = chain[-1]
    heads = [net.ranks[head] for head in net.readers.get(last, ())]
    return range(net.ranks[chain[0]], max([net.ranks[last] + 1, *heads]))


def find_lanes(net: Net, strands: list[Strand]) -> list[Strand]:
    """Return a lane for each node whose line passes rows and has no strand of its own to do so.

    One lane has all long flows of a node, since they carry one tensor.
    """
    out = []
    for strand in strands:
        for node, follower in zip(strand.nodes, strand.nodes[1:], strict=False):
            far = [net.ranks[h] for h in net.readers[node] if h != follower]
            rows = range(net.ranks[node] + 1, max(far, default=0))
            if rows:
                out.append(Strand([node], rows, is_lane=True))
    return out
