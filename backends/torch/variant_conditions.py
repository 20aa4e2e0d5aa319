"""The conditions in which the instances of a block differ, and what each decides in them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from backends.torch.class_builder import ClassBuilder
from backends.torch.conditions import ArgumentCondition
from compiler.graph import Graph, formulas_of
from compiler.ops import Add, Conv2d, ConvTranspose2d, Linear, Slice


class Different(Exception):
    """The variants do not fit into one class."""


@dataclass(slots=True)
class VariantConditions:
    """Which conditions hold in which variants of a block; the first of them has every layer."""

    graph: Graph
    variants: Sequence[ClassBuilder]
    truths: dict[str, tuple[bool, ...]] = field(default_factory=dict)
    """Text of a condition -> whether it holds, by variant; of those that differ."""
    known: dict[str, ArgumentCondition] = field(default_factory=dict)

    @property
    def whole(self) -> ClassBuilder:
        """The variant that has every layer."""
        return self.variants[0]

    def find(self) -> None:
        """Find the conditions that hold in some variants and not in others."""
        of = [variant.formulas.trace.conditions for variant in self.variants]
        for text, condition in of[0].items():
            opposite = condition.opposite.text
            held = tuple(text in there for there in of)
            if not all(held) and any(text not in there and opposite not in there for there in of):
                raise Different
            if not all(held):
                self.truths[text] = held
                self.known[text] = condition
        texts = {*of[0], *(c.opposite.text for c in self.known.values())}
        inner = {c.text for v in self.variants for c in v.formulas.trace.inner}
        if any(not there.keys() <= texts for there in of) or not inner.isdisjoint(self.truths):
            raise Different

    def are_read_alike(self) -> bool:
        """True where the variants differ in their conditions alone, not in what else is decided."""
        first, *others = map(_numbers_read, self.variants)
        return all(there.items() <= first.items() for there in others)

    def condition_of(self, path: str) -> str | None:
        """Return the condition of the layer at a path, where it differs between the variants."""
        written = set(_conditions_at(self.graph, path))
        if len(written) != 1:
            return None
        condition = self.whole.formulas.decided.get(written.pop())
        return condition.text if condition is not None and condition.text in self.truths else None

    def released(self, instead: Mapping[str, str]) -> frozenset[str]:
        """Return the conditions that a caller need not hold: as many channels leave, anyway."""
        ends = {
            tuple(variant.formulas.channels[name].text for name in variant.scope.exports)
            for variant in self.variants
        }
        deciding = {
            text for name in self.whole.scope.exports for text in self._deciding(name, instead)
        }
        if len(ends) > 1 or not self.have_all_patterns(deciding) or not self.are_read_alike():
            return frozenset()
        return frozenset(text for c in self.known.values() for text in (c.text, c.opposite.text))

    def _deciding(self, name: str, others: Mapping[str, str]) -> set[str]:
        """Return the conditions on which the number of channels of a tensor may depend."""
        graph, builder = self.graph, self.whole
        if not name.startswith(f"{builder.scope.name}."):
            return set()
        node = graph.nodes[name]
        block = _block_around(graph, name, builder.scope.name)
        inputs = graph.regions[block].inputs if block else node.inputs
        found = [self._deciding(i, others) for i in inputs]
        if block is None and isinstance(node.op, (Conv2d, ConvTranspose2d, Linear, Slice)):
            found = []
        elif block is None and isinstance(node.op, Add):  # the operands have as many
            found = [min(found, key=len)]
        own = self.around(block or name)
        if own:
            instead = others.get(name, inputs[0])
            found.append(rest := self._deciding(instead, others))
            known = builder.formulas.channels.get
            made, passed = known(name), known(instead)
            if rest or made is None or passed is None or made.text != passed.text:
                found.append(own)
        return {text for texts in found for text in texts}

    def have_all_patterns(self, conditions: Collection[str]) -> bool:
        """True where every combination of some conditions is that of some variant."""
        found = {tuple(self.truths[t][i] for t in conditions) for i in range(len(self.variants))}
        return len(found) == 1 << len(conditions)

    def before(self, path: str) -> set[str]:
        """Return the conditions of layers that are computed before one: they decide its numbers.

        Raises:
            Different: one of them is not known, as it holds in some copies of a layer alone.
        """
        found: set[str] = set()
        for node in self.whole.scope.nodes():
            if node.name == path or node.name.startswith(f"{path}."):
                break
            found |= self.around(node.name)
        return found

    def around(self, path: str) -> set[str]:
        """Return the conditions of a layer and of what it is in, that differ between variants."""
        decided = self.whole.formulas.decided
        written = set(_conditions_around(self.graph, path, self.whole.scope.name))
        if any(decided.get(text, text) is None for text in written):
            raise Different
        known = (decided.get(text) for text in written)
        return {c.text for c in known if c is not None} & self.truths.keys()


def _conditions_at(graph: Graph, path: str) -> Iterator[str]:
    """Yield the `when` of a layer, or those of the layers inside it."""
    if path not in graph.regions and path not in graph.nodes:
        return
    if graph.info_of(path).when:
        yield graph.info_of(path).when
    elif path in graph.regions and graph.regions[path].kind != "block":
        for member in graph.regions[path].members:
            yield from _conditions_at(graph, member)


def _conditions_around(graph: Graph, path: str, scope: str) -> Iterator[str]:
    """Yield the `when` of a layer and of what it is in, in a block, not those of blocks inside."""
    found: list[str] = []
    while path != scope:
        if path in graph.regions and graph.regions[path].kind == "block":
            found = []
        if (path in graph.regions or path in graph.nodes) and graph.info_of(path).when:
            found.append(graph.info_of(path).when)
        path = path.rpartition(".")[0]
    yield from found


def _block_around(graph: Graph, path: str, scope: str) -> str | None:
    """Return the outermost block in a scope that a layer is in."""
    found = None
    while (path := path.rpartition(".")[0]) != scope:
        if path in graph.regions and graph.regions[path].kind == "block":
            found = path
    return found


def _numbers_read(builder: ClassBuilder) -> dict[str, object]:
    """Return what the numbers of a variant are made of and its class does not follow."""
    formulas, scope = builder.formulas, builder.scope
    given = {**scope.region.arguments, **{n: s.value for n, s in formulas.inputs.items()}}
    out: dict[str, object] = {n: given.get(n) for n in formulas.trace.fixed | formulas.trace.found}
    for node in scope.nodes():
        local = node.name[len(scope.name) :]
        for formula in formulas_of(node.traced).values():
            grids = (n for n in formula.sizes if not n.endswith(".channels"))
            out |= {f"{local} {n}": formulas.grid_size(n, formula.sizes[n]) for n in grids}
    return out
