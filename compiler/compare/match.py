"""Which layer of one network is which of the other: by name, by surroundings, by order."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher

import networkx as nx

from compiler.compare.layers import Layers
from compiler.graph import now_called

ITERATIONS = 3
"""How far around a layer its surroundings are told apart."""
MOST = 4_000_000
"""Pairs that an alignment looks at; of more, the same layers are paired in their order."""


def match(before: Layers, after: Layers) -> dict[str, str]:
    """Return layer of the first network -> layer of the second one.

    Names are identity, those too that the second network says were moved. Of the rest, layers are
    the same where they and what is around them compute the same (Weisfeiler-Lehman hashes of
    subgraphs, the widest first), then where they do and stand in the same order; what has no
    tensors, such as a join, where it reads the same layers.
    """
    out = {name: name for name in before.nodes if name in after.nodes}
    if moved := after.graph.moved:
        now = {n: now_called(n, moved) for n in before.nodes if n not in out}
        taken = set(out.values())
        out |= {n: new for n, new in now.items() if new in after.nodes and new not in taken}
    known = set(out.values())
    left = [name for name in before.nodes if name not in out]
    right = [name for name in after.nodes if name not in known]
    if left and right:
        for hashes in _surroundings(before, after):
            found = _by_hash(left, right, hashes)
            out |= found
            left, right = _rest(left, found.keys()), _rest(right, found.values())
        out |= _by_order(
            before,
            after,
            [n for n in left if before.tensors(n)],
            [n for n in right if after.tensors(n)],
        )
        _by_operands(before, after, out)
    return out


def _rest(names: list[str], matched: Iterable[str]) -> list[str]:
    known = set(matched)
    return [name for name in names if name not in known]


Hashes = tuple[Mapping[str, str], Mapping[str, str]]
"""Layer -> a hash of it and what is around it, for both networks."""


def _surroundings(before: Layers, after: Layers) -> list[Hashes]:
    """Return hashes of wider and of narrower surroundings, the widest first."""
    with warnings.catch_warnings():  # networkx tells whoever has kept hashes of its last version
        warnings.simplefilter("ignore", UserWarning)
        found = [
            nx.weisfeiler_lehman_subgraph_hashes(
                layers.wiring, node_attr="label", iterations=ITERATIONS
            )
            for layers in (before, after)
        ]
    return [
        (
            {name: hashes[depth] for name, hashes in found[0].items()},
            {name: hashes[depth] for name, hashes in found[1].items()},
        )
        for depth in reversed(range(ITERATIONS))
    ]


def _by_hash(left: list[str], right: list[str], hashes: Hashes) -> dict[str, str]:
    """Pair layers of one hash, in their order, where both networks have as many of them."""
    ours: defaultdict[str, list[str]] = defaultdict(list)
    theirs: defaultdict[str, list[str]] = defaultdict(list)
    for name in left:
        ours[hashes[0][name]].append(name)
    for name in right:
        theirs[hashes[1][name]].append(name)
    pairs: dict[str, str] = {}
    for key, names in ours.items():
        if len(names) == len(theirs[key]):
            pairs |= dict(zip(names, theirs[key], strict=True))
    return pairs


def _by_order(before: Layers, after: Layers, left: list[str], right: list[str]) -> dict[str, str]:
    """Pair what computes the same, in one order."""
    ours, theirs = ([layers.alike[n] for n in names] for layers, names in
                    ((before, left), (after, right)))  # fmt: skip
    if len(ours) * len(theirs) > MOST:
        numbered = _numbered(right, theirs)
        return {n: numbered[k] for k, n in _numbered(left, ours).items() if k in numbered}
    pairs: dict[str, str] = {}
    for block in SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks():
        pairs |= dict(
            zip(left[block.a :][: block.size], right[block.b :][: block.size], strict=True)
        )
    return pairs


def _by_operands(before: Layers, after: Layers, pairs: dict[str, str]) -> None:
    """Add pairs of layers that compute the same on the same layers, in the order of execution."""
    known = set(pairs.values())
    free: defaultdict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for name in after.nodes:
        if name not in known:
            free[after.alike[name], after.reads[name]].append(name)
    for name in before.nodes:
        if name not in pairs:
            reads = tuple(pairs.get(source, source) for source in before.reads[name])
            found = free.get((before.alike[name], reads))
            if found:
                pairs[name] = found.pop(0)


def _numbered(names: list[str], keys: list[str]) -> dict[tuple[str, int], str]:
    """Return (what a layer computes, its number among those) -> its name."""
    count: defaultdict[str, int] = defaultdict(int)
    out = {}
    for name, key in zip(names, keys, strict=True):
        out[key, count[key]] = name
        count[key] += 1
    return out
