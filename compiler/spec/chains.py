"""Lists of layers while changes are made to them, and what a path in them means.

Names are those that the lowering gives (`lowering.declare`, `lower_joins`), and what is in the
list keeps its name whatever a change puts before it: a name is what `from`, taps and weights go by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from compiler.spec.model import op_of
from compiler.spec.naming import TRANSPARENT, automatic_name
from compiler.text import Entry, Mapping, Node, Scalar, Sequence


@dataclass(eq=False, slots=True)
class Item:
    """A layer of a list."""

    node: Node
    name: str = ""
    """Its name in the scope, from when the scope was opened."""
    chains: dict[str, Chain] | None = None
    """The lists inside it, by branch or part, once they are opened."""
    inside: Names | None = None

    @property
    def op(self) -> str:
        """Its op, or what stands in the place of one."""
        if isinstance(self.node, Mapping):
            return op_of(self.node.entries) or next(iter(self.node.entries), "")
        return self.node.text if isinstance(self.node, Scalar) else ""

    @property
    def is_scope(self) -> bool:
        """True where layers stand inside, written in place."""
        return self.op in TRANSPARENT

    @property
    def is_transparent(self) -> bool:
        """True for a scope that adds nothing to the names inside."""
        own = self.node.entries if isinstance(self.node, Mapping) else {}
        return self.is_scope and "name" not in own and not self.is_copied

    @property
    def is_copied(self) -> bool:
        """True for what makes copies of a layer."""
        own = self.node.entries if isinstance(self.node, Mapping) else {}
        return "repeat" in own or "for" in own

    @property
    def base(self) -> str | None:
        """What an automatic name is made from; None for a layer that gives its name."""
        if not isinstance(self.node, Mapping):
            return self.op or None
        if isinstance(self.node.get("name"), Scalar):
            return None
        return automatic_name(self.op, self.node.get(self.op)) or self.op or None

    def open(self) -> dict[str, Chain]:
        """Return the lists inside a scope, by branch or part."""
        if self.chains is None:
            self.chains = {name: Chain.of(node) for name, node in _lists(self)}
        return self.chains

    def scope(self) -> Names:
        """Return the names inside a scope that has a name."""
        if self.inside is None:
            body = "layers" if self.op == "layers" else "body"
            roots = self.open().get(body) if self.op in ("layers", "residual") else None
            self.inside = Names(roots=(roots,) if roots else ())
            self.inside.declare_inside(self)
        return self.inside

    def close(self) -> None:
        """Put the lists that were opened back into the node."""
        if self.chains is None:
            return
        assert isinstance(self.node, Mapping)
        lists = {name: chain.node() for name, chain in self.chains.items()}
        principal = self.node.entries[self.op]
        value = lists.get("layers", principal.node) if self.op == "layers" else principal.node
        if self.op != "layers" and isinstance(value, Mapping):
            value = _with_lists(value, lists, is_residual=self.op == "residual")
        entries = {**self.node.entries, self.op: Entry(principal.key_span, value)}
        self.node = replace(self.node, entries=entries)
        self.chains = self.inside = None


def _lists(item: Item) -> Iterator[tuple[str, Node]]:
    node = item.node.get(item.op) if isinstance(item.node, Mapping) else None
    if item.op == "layers" and node is not None:
        yield "layers", node
    elif isinstance(node, Mapping) and item.op == "residual":
        for part in ("body", "shortcut"):
            yield part, node.get(part) or Sequence((), node.span)
    elif isinstance(node, Mapping):
        yield from ((name, entry.node) for name, entry in node.entries.items())


def _with_lists(node: Mapping, lists: dict[str, Node], is_residual: bool) -> Mapping:
    """Return the mapping of branches, or of a residual's parts, with other lists in it."""
    entries = dict(node.entries) if is_residual else {}
    for name, value in lists.items():
        old = node.entries.get(name)
        is_empty = isinstance(value, Sequence) and not value.items
        if old is not None or not (is_residual and is_empty):
            entries[name] = Entry(old.key_span if old else value.span, value)
    return replace(node, entries=entries)


@dataclass(eq=False, slots=True)
class Chain:
    """A list of layers; what is no list stays as it is, for the reader to refuse."""

    written: Node
    items: list[Item]
    names: Names | None = None

    @classmethod
    def of(cls, node: Node) -> Chain:
        """Return a list of the language, to be changed."""
        layers = _layers_of(node)
        return cls(node, [Item(item) for item in (layers.items if layers else ())])

    def scope(self) -> Names:
        """Return the names in a list that is a scope of its own, such as a branch."""
        if self.names is None:
            self.names = Names(roots=(self,))
            self.names.declare(self)
        return self.names

    def node(self) -> Node:
        """Return the list as it is now."""
        written = _layers_of(self.written)
        if written is None:
            return self.written
        for item in self.items:
            item.close()
        layers = replace(written, items=tuple(item.node for item in self.items))
        if not isinstance(self.written, Mapping):
            return layers
        key_span = self.written.entries["layers"].key_span
        entries = {**self.written.entries, "layers": Entry(key_span, layers)}
        return replace(self.written, entries=entries)


def _layers_of(node: Node) -> Sequence | None:
    """Return a list of layers, or that of a branch with a `when`; None for what is neither."""
    layers = node.get("layers") if isinstance(node, Mapping) else node
    return layers if isinstance(layers, Sequence) else None


@dataclass(eq=False, slots=True)
class Place:
    """What a name stands for: a layer, a branch or part of one, or what its maker adds to it."""

    chain: Chain | None
    """The list that a layer stands in."""
    item: Item
    """The layer, or the one that the branch or the addition belongs to."""
    branch: str = ""
    is_made: bool = False
    """True for the join of branches, and for what a residual adds after its parts."""


@dataclass(eq=False, slots=True)
class Names:
    """The names of a scope."""

    places: dict[str, Place] = field(default_factory=dict)
    ordinals: dict[str, int] = field(default_factory=dict)
    roots: tuple[Chain, ...] = ()
    """The list whose layers are named here, with what adds nothing to the names."""
    is_changed: bool = False

    def automatic(self, base: str) -> str:
        """Return a name made from `base` that is not taken: base, base_2, ..."""
        while True:
            count = self.ordinals[base] = self.ordinals.get(base, 0) + 1
            name = base if count == 1 else f"{base}_{count}"
            if name not in self.places:
                return name

    def free(self, item: Item) -> str:
        """Return the name that a layer gets here."""
        base = item.base
        if base is None:
            name = item.node.get("name") if isinstance(item.node, Mapping) else None
            return name.text if isinstance(name, Scalar) else ""
        return base if item.op == "block" else self.automatic(base)

    def take(self, item: Item) -> str:
        """Return the name that a layer gets here, and take it."""
        name = self.free(item)
        self.places.setdefault(name, Place(None, item))
        return name

    def declare(self, chain: Chain) -> None:
        """Name the layers of a list, then what stands in those that add nothing to the names."""
        for item in chain.items:
            self.add(chain, item)
        for item in chain.items:
            if item.is_transparent:
                self.declare_inside(item)

    def add(self, chain: Chain, item: Item) -> None:
        """Name one layer of a list; of two that bear one name the first is meant."""
        item.name = item.name or self.free(item)
        self.places.setdefault(item.name, Place(chain, item))

    def declare_inside(self, item: Item) -> None:
        """Name what stands in a scope: branches and the join, or the parts of a residual."""
        chains = item.open()
        if item.op == "layers":
            for chain in chains.values():
                self.declare(chain)
        elif item.op == "residual" and chains:
            self._part(item, "body")
            self.declare(chains["body"])
            self._part(item, "shortcut")
            written = item.node.get("residual") if isinstance(item.node, Mapping) else None
            own = written.entries if isinstance(written, Mapping) else {}
            for word in ("scale",) * ("scale" in own) + ("add",) + ("act",) * ("activation" in own):
                self.places[self.automatic(word)] = Place(None, item, is_made=True)
        else:
            for name in chains:
                self.places.setdefault(name, Place(None, item, name))
            join = item.node.get("join") if isinstance(item.node, Mapping) else None
            if item.op == "branches" and isinstance(join, Scalar):
                self.places[self.automatic(join.text)] = Place(None, item, is_made=True)

    def _part(self, item: Item, part: str) -> None:
        self.places[self.automatic(part)] = Place(None, item, part)

    def forget(self, item: Item) -> None:
        """Take a layer's name away, and those of what stands inside it."""
        gone = {item, *(_inner(item) if item.is_transparent else ())}
        if item.is_transparent:
            lost = [name for name, place in self.places.items() if place.item in gone]
        else:
            place = self.places.get(item.name)
            lost = [item.name] if place is not None and place.item is item else []
        for name in lost:
            del self.places[name]
            base, _, count = name.rpartition("_")
            if not (base and count.isdecimal()):
                base, count = name, "1"
            if base in self.ordinals:  # the name is free again
                self.ordinals[base] = min(self.ordinals[base], int(count[:9]) - 1)


def _inner(item: Item) -> Iterator[Item]:
    for chain in item.open().values():
        for one in chain.items:
            yield one
            if one.is_transparent:
                yield from _inner(one)


def pin(chain: Chain) -> None:
    """Write down the names that layers would lose by what changed around them, in all scopes.

    All layers whose automatic names are made from one word are written down together.
    """
    for names in _scopes(chain):
        every = [item for root in names.roots for item in _named(root)] if names.is_changed else []
        fresh = Names()
        moved = {item.base for item in every if fresh.take(item) != item.name}
        for item in every:
            if item.base in moved - {None} and not item.is_transparent:
                item.node = named(item.node, item.name)


def _scopes(chain: Chain) -> Iterator[Names]:
    """Yield the scopes that were opened."""
    if chain.names is not None:
        yield chain.names
    for item in chain.items:
        if item.inside is not None:
            yield item.inside
        for inner in (item.chains or {}).values():
            yield from _scopes(inner)


def _named(chain: Chain) -> Iterator[Item]:
    """Yield the layers that share a list's scope, in the order in which they get their names."""
    yield from chain.items
    for item in chain.items:
        for name, inner in item.open().items() if item.is_transparent else ():
            if item.op == "layers" or (item.op == "residual" and name == "body"):
                yield from _named(inner)


def as_mapping(node: Node) -> Node:
    """Return a layer that is a word alone as a mapping."""
    if not isinstance(node, Scalar):
        return node
    word = Entry(node.span, Scalar(True, "true", node.span, quoted=False))
    return Mapping({node.text: word}, node.span, node.notes)


def named(node: Node, name: str) -> Node:
    """Return a layer that gives its name."""
    node = as_mapping(node)
    if not isinstance(node, Mapping):
        return node
    entry = Entry(node.span, Scalar(name, name, node.span, quoted=False))
    return replace(node, entries={**node.entries, "name": entry})
