"""Blocks that extend blocks, and blocks of their own for instances that a change reaches into."""

from __future__ import annotations

from dataclasses import dataclass, replace

from compiler.errors import Diagnostic, Report, Span, guessing, limit, way_out
from compiler.spec.changes import Reach, action_of, change_layers, is_structural
from compiler.spec.merge import is_null, merged, noted, place_of, take_away
from compiler.spec.variant import over_params, without_sizes
from compiler.text import Entry, Mapping, Node, Scalar, Sequence, describe_text

BODIES = ("layers", "branches", "residual")
OF_ITS_OWN = ("title", "doc", "cite")
"""What is said of a block under its own name, and not of one that extends it."""


@dataclass(slots=True)
class _Own:
    """A block made for one instance: the block it comes of, and the changes in it."""

    block: str
    path: str
    changes: list[Node]


class BlockVariants:
    """Resolves `extends` and `changes` of blocks.

    Args:
        defined: name -> its definitions, those of a base before those of what extends it.
        report: takes the errors.
    """

    def __init__(self, defined: dict[str, list[tuple[Span, Node]]], report: Report) -> None:
        self.defined = defined
        self.report = report
        self.own: dict[str, _Own] = {}
        self.done: dict[tuple[str, int], Node | None] = {}
        self.open: list[tuple[str, int]] = []

    def reach(self) -> Reach:
        """Return what makes changes inside the instances of one list of layers."""
        made: set[str] = set()

        def make(block: str, path: str, name: str, change: Mapping, rest: Scalar) -> str:
            if block not in self.defined and block not in self.own:
                return block  # which is reported where it is used
            if block not in made:
                at = path.replace(".", "_")
                extended, block = block, self._free(f"{self._written(block)}_at_{at}")
                self.own[block] = _Own(extended, path, [])
                made.add(block)
            action = action_of(change)
            key_span = change.entries[action].key_span
            entries = {**change.entries, action: Entry(key_span, rest)}
            self.own[block].changes.append(replace(change, entries=entries))
            return block

        return make

    def _free(self, name: str) -> str:
        count, free = 1, name
        while free in self.defined or free in self.own:
            count += 1
            free = f"{name}_{count}"
        return free

    def _written(self, name: str) -> str:
        """Return the block that somebody wrote and that one was made of."""
        while name in self.own:
            name = self.own[name].block
        return name

    def resolved(self) -> dict[str, Node | None]:
        """Return every block as it comes to be; None for one that extends nothing that there is."""
        out = {name: self._block(name, len(d) - 1, d[-1][0]) for name, d in self.defined.items()}
        waiting = list(self.own)
        while waiting:  # a change in one may reach into another
            for name in waiting:
                out[name] = self._own(name)
            waiting = [name for name in self.own if name not in out]
        return out

    def _own(self, name: str) -> Node | None:
        """Return the block that was made for an instance."""
        own = self.own[name]
        first = own.changes[0]
        key = (name, -1)
        if key in self.done:
            return self.done[key]
        base = self._named(own.block, first.span)
        self.done[key] = base
        if isinstance(base, Mapping):
            changes = Sequence(tuple(own.changes), first.span)
            title = base.get("title")
            entries = _inherited(base, name, own.block)
            if isinstance(title, Scalar):
                words = f"{title.text} ({own.path})"
                entries = {
                    "title": Entry(title.span, replace(title, value=words, text=words)),
                    **entries,
                }
            made = self._changed(Mapping(entries, base.span), changes, name)
            self.done[key] = noted(made, f"`{own.block}`, changed at `{own.path}`")
        return self.done[key]

    def _named(self, name: str, span: Span) -> Node | None:
        if name in self.own:
            return self._own(name)
        return self._block(name, len(self.defined[name]) - 1, span)

    def _block(self, name: str, at: int, span: Span) -> Node | None:
        """Return one definition of a block, with what it extends."""
        node = self.defined[name][at][1]
        if not isinstance(node, Mapping) or not {"extends", "changes"} & set(node.entries):
            return node
        key = (name, at)
        if key not in self.done:
            if not self._may_open(key, span):
                return None
            self.open.append(key)
            self.done[key] = self._extended(name, at, node)
            self.open.pop()
        return self.done[key]

    def _may_open(self, key: tuple[str, int], span: Span) -> bool:
        if key in self.open:
            names = [name for name, _ in self.open[self.open.index(key) :]]
            message = f"blocks extend each other: {' -> '.join([*names, key[0]])}"
            self._refuse("block-cycle", message, span, "one of them needs a body of its own")
            return False
        if len(self.open) >= limit("import_depth"):
            message = f"`extends` leads through more than {limit('import_depth'):,} blocks in a row"
            self._refuse("too-deep", message, span, way_out("import_depth"))
            return False
        return True

    def _refuse(self, code: str, message: str, span: Span, help: str) -> None:
        self.report.add(Diagnostic(code, message, span, help=help))

    def _extended(self, name: str, at: int, node: Mapping) -> Node | None:
        target, changes = node.get("extends"), node.get("changes")
        if target is None:
            assert changes is not None
            help = "name the block that it changes: `extends: NAME`"
            message = f"block `{name}` has `changes` and extends nothing"
            self._refuse("bad-change", message, node.entries["changes"].key_span, help)
            return None
        base = self._base(name, at, target)
        if base is None:
            return None
        if not isinstance(base, Mapping):
            return None
        entries = _inherited(base, name, str(target.value) if isinstance(target, Scalar) else "")
        own = {k: e for k, e in node.entries.items() if k not in ("extends", "changes")}
        if is_structural(changes) or {*BODIES, "params", "inputs"} & set(own):
            _release(entries)
        for key, entry in own.items():
            self._lay_over(entries, key, entry, name)
        out = Mapping(entries, node.span, node.notes)
        if changes is None:
            return out
        if not isinstance(changes, Sequence):
            help = "write `changes: [{set: LAYER, KEY: VALUE}]`"
            self._refuse(
                "bad-change", f"`changes` of block `{name}` is no list", changes.span, help
            )
            return out
        self.report.spend("changes", len(changes.items), changes.span)
        return self._changed(out, changes, name)

    def _base(self, name: str, at: int, target: Node) -> Node | None:
        """Return the block that one extends, or None after reporting that there is none."""
        if not isinstance(target, Scalar) or not isinstance(target.value, str):
            message = f"`extends` of block `{name}` takes the name of a block"
            self._refuse("bad-change", message, target.span, "it reads `extends: NAME`")
            return None
        if target.value == name and at == 0:
            help = "only in a variant of a network may a block extend the base's of its own name"
            self._refuse("block-cycle", f"block `{name}` extends itself", target.span, help)
            return None
        if target.value == name:
            return self._block(name, at - 1, target.span)
        if target.value not in self.defined:
            found = Diagnostic(
                "unknown-block",
                f"there is no block `{describe_text(target.value)}`",
                target.span,
                help="no other block is defined or imported",
            )
            known = [k for k in self.defined if k != name]
            self.report.add(found, guessing(target.value, known, "defined or imported are {words}"))
            return None
        return self._named(target.value, target.span)

    def _lay_over(self, entries: dict[str, Entry], key: str, entry: Entry, name: str) -> None:
        below = entries.get(key)
        if is_null(entry.node):
            if key in BODIES:
                message, help = f"block `{name}` needs its body", "write another one in its place"
                self._refuse("bad-change", message, entry.key_span, help)
            elif take_away(key, f"what block `{name}` extends", entry, below, self.report):
                del entries[key]
            return
        if key in BODIES:
            for word in (*BODIES, "join"):
                entries.pop(word, None)
        if key == "params" and below is not None:
            entries[key] = Entry(entry.key_span, over_params(below.node, entry.node, self.report))
        elif key == "let" and below is not None:
            whose = f"`let` of what block `{name}` extends"
            entries[key] = Entry(entry.key_span, merged(below.node, entry.node, self.report, whose))
        else:
            entries[key] = Entry(entry.key_span, noted(entry.node, place_of(entry)))

    def _changed(self, block: Mapping, changes: Sequence, name: str) -> Mapping:
        """Return a block with changes made in its body."""
        body = next((b for b in BODIES if b in block.entries), None)
        if body is None:
            return block
        if is_structural(changes):
            entries = dict(block.entries)
            _release(entries)
            block = replace(block, entries=entries)
        entry = block.entries[body]
        layers = entry.node
        if body != "layers":
            own = {k: block.entries[k] for k in (body, "join") if k in block.entries}
            layers = Sequence((Mapping(own, entry.node.span),), entry.node.span)
        if not isinstance(layers, Sequence):
            return block
        whose = f"block `{self._written(name)}`"
        made = change_layers(layers, changes, whose, self.reach(), self.report)
        rest = {k: e for k, e in block.entries.items() if k not in (body, "join")}
        return replace(block, entries={**rest, **_as_body(made, body, entry)})


def _as_body(layers: Node, body: str, entry: Entry) -> dict[str, Entry]:
    """Return changed layers as a block says them: in its own form while that holds them."""
    items = layers.items if isinstance(layers, Sequence) else ()
    if body != "layers" and len(items) == 1 and isinstance(items[0], Mapping):
        only = items[0].entries
        if only.keys() <= {body, "join"}:
            held = only[body]
            node = replace(held.node, notes=(*held.node.notes, *items[0].notes))
            return {**only, body: Entry(held.key_span, node)}
    return {"layers": Entry(entry.key_span, layers)}


def _inherited(base: Mapping, name: str, of: str) -> dict[str, Entry]:
    """Return what a block inherits: under another name, not what is said of that one."""
    return {k: e for k, e in base.entries.items() if name == of or k not in OF_ITS_OWN}


def _release(entries: dict[str, Entry]) -> None:
    """Take the sizes out of a body: they were stated of the block that is extended."""
    for body in BODIES:
        entry = entries.get(body)
        if entry is None:
            continue
        if body == "layers":
            entries[body] = Entry(entry.key_span, without_sizes(entry.node))
            continue
        whole = Mapping({body: entry}, entry.node.span)
        node = without_sizes(Sequence((whole,), entry.node.span))
        assert isinstance(node, Sequence)
        assert isinstance(node.items[0], Mapping)
        entries[body] = node.items[0].entries[body]
