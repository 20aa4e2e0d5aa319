"""What differs in one layer: attributes, operations, what it reads, its tensors, its words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from compiler.compare.change import Detail
from compiler.compare.layers import Layers
from compiler.graph import Info, Node, padding_text, pair_text, value_text

SHAPING = {
    "out_channels", "out_features", "kernel_size", "groups", "bias", "scale", "shift", "operations",
}  # fmt: skip
"""What makes the tensors of a layer others where it differs."""
DRAWN = ("label", "title", "drawn")
"""What an info has that is no part of the computation and changes its box."""


class Differ:
    """Compares layers of two graphs, given which is which."""

    def __init__(self, before: Layers, after: Layers, pairs: Mapping[str, str]) -> None:
        self.before = before
        self.after = after
        self.pairs = pairs
        self.known = set(pairs.values())

    def details(self, old: str, new: str) -> tuple[Detail, ...]:
        """Return what differs in a layer that both networks have."""
        ours, theirs = self.before.nodes[old], self.after.nodes[new]
        found = [*_operations(ours, theirs)]
        before, after = self._tensors(self.before, old), self._tensors(self.after, new)
        if before != after:
            found = [replace(d, category="weights") if d.what in SHAPING else d for d in found]
            if not any(d.category == "weights" for d in found):
                found += _tensors(before, after)
        reads = self._reads(old, self.before, self.after_of), self._reads(new, self.after, None)
        if reads[0] != reads[1]:
            what = "reads" if sorted(reads[0]) != sorted(reads[1]) else "reads in order"
            before_text, after_text = (self._listed(new, names) for names in reads)
            found.append(Detail(what, before_text, after_text, "numerics"))
        return (*found, *drawn(self.before.graph.info_of(old), self.after.graph.info_of(new)))

    def after_of(self, name: str) -> str:
        """Return what a layer of the first network is called in the second one."""
        return self.pairs.get(name, name)

    def _listed(self, layer: str, names: list[str]) -> str:
        """Return what a layer reads as it calls it: without its own scope or numbers of copies."""
        scope = self.after.pattern(layer).rpartition(".")[0]
        return ", ".join(self.after.pattern(name).removeprefix(f"{scope}.") for name in names)

    def _tensors(self, layers: Layers, name: str) -> dict[str, tuple[int, ...]]:
        return {key.removeprefix(name): shape for key, shape in layers.tensors(name).items()}

    def _reads(self, layer: str, layers: Layers, renamed: Callable[[str], str] | None) -> list[str]:
        """Return what a layer reads in names of the second network.

        What the other network does not have is looked through: an added layer is a change of its
        own, and not one of what follows it.
        """
        known = self.known if renamed is None else self.pairs.keys()
        out = []
        for source in layers.reads[layer]:
            while source in layers.nodes and source not in known and layers.reads[source]:
                source = layers.reads[source][0]
            out.append(renamed(source) if renamed else source)
        return out


def drawn(before: Info, after: Info) -> Iterator[Detail]:
    """Yield what differs in words and boxes."""
    for name in DRAWN:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield Detail(name, _text(old), _text(new), "drawing")


def _operations(before: tuple[Node, ...], after: tuple[Node, ...]) -> Iterator[Detail]:
    """Yield what differs in the operations of a layer."""
    kinds = [[node.op.kind for node in nodes] for nodes in (before, after)]
    if kinds[0] != kinds[1]:
        yield Detail("operations", " ".join(kinds[0]), " ".join(kinds[1]), "numerics")
    theirs = {node.op.kind: node for node in after}
    for node in before:
        other = theirs.get(node.op.kind)
        if other is None or type(other.op) is not type(node.op):
            continue
        old, new = node.op.attributes(), other.op.attributes()
        for name in old:
            if old[name] != new[name]:
                yield Detail(name, _text(old[name]), _text(new[name]), "numerics")
        if bool(node.share) != bool(other.share):
            yield Detail("share", node.share or "", other.share or "", "weights")


def _tensors(
    before: Mapping[str, tuple[int, ...]], after: Mapping[str, tuple[int, ...]]
) -> Iterator[Detail]:
    """Yield the tensors that are others."""
    for name in {**before, **after}:
        old, new = ("x".join(map(str, t.get(name, ()))) for t in (before, after))
        if old != new:
            yield Detail(name.lstrip("."), old, new, "weights")


def _text(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return padding_text(value)
    if isinstance(value, tuple) and len(value) == 2:
        return pair_text(value)
    return value_text(value) if isinstance(value, (int, float, str)) else str(value)
