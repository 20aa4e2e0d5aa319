"""What a variant changes in the layers of its base, one change after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from compiler.errors import Diagnostic, Remark, Report, Span, did_you_mean, guessing, limit
from compiler.spec.chains import Chain, Item, Names, Place, as_mapping, named, pin
from compiler.spec.merge import merged, noted, take_away
from compiler.text import Entry, Mapping, Node, Scalar, Sequence, describe_text

WORDS_ALONE = frozenset(("size", "label", "title", "drawn", "cite", "errata", "doc"))
"""Keys of a layer that say nothing about what it computes."""
LISTS = {"replace": "by", "after": "insert", "before": "insert"}
ACTIONS = ("set", "replace", "remove", "after", "before")
_FORMS = (
    "write `{set: LAYER, KEY: VALUE}`, `{replace: LAYER, by: [...]}`, `{remove: LAYER}`, "
    "`{after: LAYER, insert: [...]}` or `{before: LAYER, insert: [...]}`"
)

Reach = Callable[[str, str, str, Mapping, Scalar], str]
"""Makes a change inside the block that an instance names: the block, the path of the instance and
its name, the change and the rest of its path; returns the block that the instance names then."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change, as far as it is understood."""

    node: Mapping
    action: str
    target: Scalar

    @property
    def rest(self) -> dict[str, Entry]:
        """What it says beside its target."""
        return {key: e for key, e in self.node.entries.items() if key != self.action}

    @property
    def note(self) -> str:
        """Where it stands."""
        return f"{self.target.span.file}:{self.target.span.line}"

    def layers(self) -> tuple[Node, ...]:
        """Return the layers that it puts in; empty where it says none."""
        node = self.node.get(LISTS.get(self.action, ""))
        return node.items if isinstance(node, Sequence) else ()


def action_of(change: Mapping) -> str:
    """Return the key that says what a change does, wherever it stands; else the first key."""
    keys = change.entries
    return next((key for key in keys if key in ACTIONS), "") or next(iter(keys), "")


def is_structural(changes: Node | None) -> bool:
    """True where changes alter more than words: what the base states of itself holds no more."""
    for node in changes.items if isinstance(changes, Sequence) else ():
        keys = set(node.entries) if isinstance(node, Mapping) else set()
        if "set" not in keys or not WORDS_ALONE.issuperset(keys - {"set"}):
            return True
    return False


def change_layers(
    layers: Sequence, changes: Sequence, whose: str, reach: Reach, report: Report
) -> Node:
    """Return a list of layers with the changes made; what cannot be made is reported.

    Args:
        layers: those of the base.
        changes: as they are written.
        whose: what a message calls the list: `the base`, a block.
        reach: makes the changes that reach into blocks.
        report: takes the errors.
    """
    editor = _Editor(Chain.of(layers), whose, reach, report)
    for node in changes.items:
        change = _read(node, report)
        if change is not None:
            editor.make(change)
    pin(editor.chain)
    return editor.chain.node()


def _read(node: Node, report: Report) -> Change | None:
    """Return a change, or None after reporting that it is none."""
    if not isinstance(node, Mapping) or not node.entries:
        _refuse(report, "a change is a mapping", node.span, _FORMS)
        return None
    action = action_of(node)
    entry = node.entries[action]
    if action not in ACTIONS or not isinstance(entry.node, Scalar):
        hint = did_you_mean(action, ACTIONS)
        _refuse(report, f"`{action}` is not a change{hint}", entry.key_span, _FORMS)
        return None
    change = Change(node, action, entry.node)
    wanted = LISTS.get(action)
    extra = [k for k in change.rest if k != wanted] if action != "set" else []
    if extra:
        _refuse(
            report, f"`{action}` has no key `{extra[0]}`", change.rest[extra[0]].key_span, _FORMS
        )
        return None
    if action == "set" and not change.rest:
        _refuse(report, "`set` names no key to set", node.span, _FORMS)
        return None
    is_branch = action in ("after", "before") and isinstance(node.get("insert"), Mapping)
    if wanted and not is_branch and not isinstance(node.get(wanted), Sequence):
        _refuse(report, f"`{action}` needs `{wanted}`, a list of layers", node.span, _FORMS)
        return None
    return change


def _refuse(report: Report, message: str, span: Span, help: str = "") -> None:
    report.add(Diagnostic("bad-change", message, span, help=help))


def _tail(path: Scalar, at: int) -> Scalar:
    """Return the rest of a path, with its place."""
    text = path.text[at:]
    return replace(path, value=text, text=text, span=path.inside(at, len(path.text)))


class _Editor:
    """Makes changes in one list of layers and what stands in it."""

    def __init__(self, chain: Chain, whose: str, reach: Reach, report: Report) -> None:
        self.chain = chain
        self.whose = whose
        self.reach = reach
        self.report = report

    def make(self, change: Change) -> None:
        """Find what a change speaks of, and make it."""
        trail, whose, at = [self.chain.scope()], self.whose, 0
        parts = change.target.text.split(".")
        for i, part in enumerate(parts):
            place = trail[-1].places.get(part)
            if place is None:
                self._unknown(part, change.target.inside(at, at + len(part)), trail[-1], whose)
                return
            at += len(part) + 1
            if i == len(parts) - 1:
                self._make_at(place, trail, change, part)
                return
            path, rest = ".".join(parts[: i + 1]), _tail(change.target, at)
            inner = self._enter(place, change, rest, path)
            if inner is None:
                return
            trail.append(inner)
            whose = f"`{path}`"

    def _unknown(self, name: str, span: Span, names: Names, whose: str) -> None:
        message = f"{whose} has no layer `{describe_text(name)}`"
        found = Diagnostic("bad-change", message, span, help="its layers are none")
        self.report.add(found, guessing(name, lambda: list(names.places), "its layers are {words}"))

    def _enter(self, place: Place, change: Change, rest: Scalar, path: str) -> Names | None:
        """Return the names inside a place; None where a block took the change, or it is refused."""
        item, head = place.item, rest.text.partition(".")[0]
        if head.isdigit() and item.is_copied and not place.branch:
            self._refuse_copy(change, rest, path)
            return None
        if place.branch:
            return item.open()[place.branch].scope()
        if item.is_scope and not place.is_made:
            return item.scope()
        block = item.node.get("block") if isinstance(item.node, Mapping) else None
        if item.op == "block" and isinstance(block, Scalar):
            made = self.reach(block.text, path, item.name, change.node, rest)
            if made != block.text:
                self._rename_block(item, made, change)
            return None
        message = f"`{path}` is one layer, there is no `{describe_text(rest.text)}` inside"
        help = f"its norm and its activation are keys: `{{set: {path}, activation: none}}`"
        if item.op != "conv":
            help = f"change the layer itself: `{{set: {path}, KEY: VALUE}}`"
        _refuse(self.report, message, rest.span, help)
        return None

    def _refuse_copy(self, change: Change, rest: Scalar, path: str) -> None:
        copy, _, inner = rest.text.partition(".")
        whole = f"{path}.{inner}" if inner else path
        message = f"the copies of `{path}` are one layer: there is no change of copy {copy} alone"
        help = (
            f"`{whole}` changes every copy; or `{{replace: {path}, by: [...]}}` by several layers"
        )
        _refuse(self.report, message, rest.span, help)

    def _rename_block(self, item: Item, block: str, change: Change) -> None:
        """Have an instance name another block, under its own name."""
        assert isinstance(item.node, Mapping)
        old = item.node.entries["block"]
        value = Scalar(block, block, old.node.span, quoted=False, notes=(change.note,))
        entries = {**item.node.entries, "block": Entry(old.key_span, value)}
        item.node = replace(item.node, entries=entries)
        if item.base is not None:
            item.node = named(item.node, item.name)

    # -- one change, where it belongs --------------------------------------------------------------

    def _make_at(self, place: Place, trail: list[Names], change: Change, name: str) -> None:
        names = trail[-1]
        self.report.changed.append((place.item.node.span, change.node.span))
        if place.is_made:
            self._make_after(place, trail, change, name)
        elif place.branch:
            self._change_branch(place, names, change, name)
        elif change.action == "set":
            self._set(place, names, change)
        else:
            assert place.chain is not None
            self._edit(place.chain, place.item, names, change)

    def _make_after(self, place: Place, trail: list[Names], change: Change, name: str) -> None:
        """Change what a scope adds itself: layers may follow it, nothing else."""
        item = place.item
        around = [(n, p) for n in trail[-2:] if (p := n.places.get(item.name)) and p.item is item]
        if change.action == "after" and around and not item.is_copied:
            names, where = around[-1]
            if where.chain is not None:
                self._edit(where.chain, item, names, change)
                return
        message = f"`{name}` is made by `{item.op}`, and is no layer that could be changed"
        help = (
            f"set a key of `{item.name}`, or put layers behind: `{{after: {name}, insert: [...]}}`"
        )
        _refuse(self.report, message, change.target.span, help)

    def _change_branch(self, place: Place, names: Names, change: Change, name: str) -> None:
        item, chain = place.item, place.item.open()[place.branch]
        if change.action == "set":
            help = f"set a layer in it, or `{{replace: {name}, by: [...]}}`"
            _refuse(self.report, f"`{name}` is a branch: it has no keys", change.target.span, help)
            return
        is_part = item.op == "residual"
        inner = names if is_part and place.branch == "body" else chain.scope()
        if change.action == "remove" and not (is_part and place.branch == "body"):
            self._remove_branch(place, names, change, name)
        elif change.action == "remove":
            help = "replace it, or remove the `residual`"
            _refuse(self.report, "a residual has a body", change.target.span, help)
        elif isinstance(change.node.get("insert"), Mapping):
            self._add_branches(place, names, change, name)
        elif change.action == "replace":
            for old in list(chain.items):
                inner.forget(old)
            self._splice(chain, slice(None), inner, change, f"in place of `{name}`")
        else:
            at = len(chain.items) if change.action == "after" else 0
            self._splice(chain, slice(at, at), inner, change)

    def _remove_branch(self, place: Place, names: Names, change: Change, name: str) -> None:
        chains = place.item.open()
        if place.item.op == "residual":
            chains[place.branch] = Chain.of(Sequence((), change.target.span))
        elif len(chains) == 1:
            help = "remove the `branches` themselves"
            _refuse(self.report, f"`{name}` is the only branch", change.target.span, help)
            return
        else:
            del chains[place.branch]
            names.places.pop(name, None)
        note = f"{change.note} takes `{name}` out"
        self.report.removed[name] = Remark(change.target.span, note)
        place.item.node = noted(place.item.node, note)

    def _add_branches(self, place: Place, names: Names, change: Change, name: str) -> None:
        added = change.node.get("insert")
        assert isinstance(added, Mapping)
        if place.item.op == "residual":
            help = f"`{change.action}` needs `insert`, a list of layers"
            _refuse(self.report, f"`{name}` is no branch beside others", added.span, help)
            return
        out: dict[str, Chain] = {}
        fresh = {k: Chain.of(noted(e.node, change.note)) for k, e in added.entries.items()}
        for taken in (k for k in fresh if k in names.places):
            _refuse(self.report, f"there is a `{taken}` already", added.entries[taken].key_span)
            return
        for key, chain in place.item.open().items():
            if key == place.branch:
                pair = [{key: chain}, fresh]
                for part in pair if change.action == "after" else reversed(pair):
                    out |= part
            else:
                out[key] = chain
        place.item.chains = out
        for key in fresh:
            names.places[key] = Place(None, place.item, key)

    def _edit(self, chain: Chain, item: Item, names: Names, change: Change) -> None:
        """Put layers into a list before or behind a layer, or in its place."""
        if isinstance(change.node.get("insert"), Mapping):
            span = change.node.entries["insert"].node.span
            message = f"`{change.action}` needs `insert`, a list of layers"
            _refuse(self.report, message, span, "a mapping adds branches, beside a branch")
            return
        at = chain.items.index(item)
        where = {"before": slice(at, at), "after": slice(at + 1, at + 1)}
        told = "" if change.action != "replace" else f"in place of `{item.name}`"
        if change.action in ("replace", "remove"):
            names.forget(item)
        self._splice(chain, where.get(change.action, slice(at, at + 1)), names, change, told)

    def _splice(
        self, chain: Chain, at: slice, names: Names, change: Change, told: str = ""
    ) -> None:
        """Put the layers of a change into a list, and say in it where they come from."""
        layers = change.layers()
        if len(chain.items) + len(layers) > limit("entries"):
            raise self.report.too_large("entries", change.node.span)
        note = f"{change.note}, {told}" if told else change.note
        items = [Item(noted(layer, note)) for layer in layers]
        gone = chain.items[at]
        if gone and items:  # what stood beside it and was taken out
            told_before = tuple(n for item in gone for n in item.node.notes if n.endswith(" out"))
            first = items[0].node
            items[0].node = replace(first, notes=(*told_before, *first.notes))
        chain.items[at] = items
        names.is_changed = True
        if chain.names is not None:
            chain.names.is_changed = True
        for item in items:
            names.add(chain, item)
        for item in items:
            if item.is_transparent:
                names.declare_inside(item)
        if gone and not items:
            words = ", ".join(f"`{item.name}`" for item in gone)
            note = f"{change.note} takes {words} out"
            remark = Remark(change.target.span, note)
            self.report.removed.update((item.name, remark) for item in gone)
            self._note_gap(chain, at.start or 0, note, change)

    def _note_gap(self, chain: Chain, at: int, note: str, change: Change) -> None:
        """Say at what stands beside a gap, or at the empty list, what was there."""
        if chain.items:
            item = chain.items[min(at, len(chain.items) - 1)]
            item.node = noted(item.node, note)
            self.report.changed.append((item.node.span, change.node.span))
        else:
            chain.written = noted(chain.written, note)

    def _set(self, place: Place, names: Names, change: Change) -> None:
        item, chain = place.item, place.chain
        values = change.rest
        is_opened = item.is_scope and item.op in values
        if is_opened:
            pin(self.chain)
        if "name" in values and item.name:
            note = f"{change.note} gives `{item.name}` another name"
            self.report.removed[item.name] = Remark(change.target.span, note)
        if is_opened or "name" in values:
            names.forget(item)
            item.close()
        item.node = self._with_values(item, values, change)
        names.is_changed = True
        if chain is None or not (is_opened or "name" in values):
            return
        item.name = "" if "name" in values else item.name
        names.add(chain, item)
        if item.is_transparent:
            names.declare_inside(item)

    def _with_values(self, item: Item, values: dict[str, Entry], change: Change) -> Node:
        """Return a layer with some keys changed; `with` and `residual` are merged key by key."""
        node = as_mapping(item.node)
        if not isinstance(node, Mapping):
            return node
        entries, notes = dict(node.entries), list(node.notes)
        for key, entry in values.items():
            old = entries.get(key)
            if (
                isinstance(entry.node, Scalar)
                and entry.node.value is None
                and not entry.node.quoted
            ):
                note = self._without(item, key, entry, old)
                if note:
                    entries.pop(key, None)
                    notes.append(f"{change.note} {note}")
            elif old is not None and key in ("with", "residual"):
                entries[key] = Entry(
                    entry.key_span,
                    merged(old.node, entry.node, self.report, f"`{key}` of `{item.name}`"),
                )
            else:
                entries[key] = Entry(entry.key_span, noted(entry.node, change.note))
        return replace(node, entries=entries, notes=tuple(notes))

    def _without(self, item: Item, key: str, entry: Entry, old: Entry | None) -> str:
        """Return what to note of a key that is taken away; nothing where it cannot be."""
        if key == item.op:
            message = f"`{key}` is what the layer is: it cannot be taken away"
            help = (
                "`{remove: LAYER}` takes a layer out, `{replace: LAYER, by: [...]}` puts others in"
            )
            _refuse(self.report, message, entry.key_span, help)
            return ""
        return take_away(key, f"`{item.name}`", entry, old, self.report)
