"""A spec over the one that it extends: what differs, laid over what is shared."""

from __future__ import annotations

from compiler.errors import Diagnostic, Report
from compiler.fields import describe_text
from compiler.limits import limit
from compiler.naming import node_name
from compiler.source import Entry, Mapping, Node, Scalar, Sequence
from compiler.suggest import did_you_mean, guessing

MERGED = ("params", "defaults", "input")
"""Keys whose entries are merged one by one; every other key replaces the base's."""
ACTIONS = ("set", "replace", "remove", "after", "before")


def overlay(base: Mapping, variant: Mapping, report: Report) -> Mapping:
    """Return the base's mapping with the variant's keys over it and its `changes` made."""
    entries = {
        k: e for k, e in base.entries.items() if k not in ("import", "blocks", "extends", "changes")
    }
    for key, entry in variant.entries.items():
        below = entries.get(key)
        if key in MERGED and below is not None:
            entry = Entry(entry.key_span, _merge(below.node, entry.node))
        entries[key] = entry
    changes = variant.get("changes")
    layers = entries.get("layers")
    if isinstance(changes, Sequence) and layers and isinstance(layers.node, Sequence):
        report.spend("changes", len(changes.items), changes.span)
        items = list(layers.node.items)
        names = [node_name(item) for item in items]
        for change in changes.items:
            _apply(items, names, change, report)
        entries["layers"] = Entry(layers.key_span, Sequence(tuple(items), layers.node.span))
    elif changes is not None:
        report.add(
            Diagnostic(
                "bad-change", "`changes` is a list, on a base that has `layers`", changes.span
            )
        )
    return Mapping(entries, variant.span)


def _merge(below: Node, above: Node) -> Node:
    """Merge mappings key by key; a plain value over a parameter's mapping is its new default."""
    if not isinstance(below, Mapping):
        return above
    if not isinstance(above, Mapping):
        if "default" in below.entries or "type" in below.entries:
            return Mapping({**below.entries, "default": Entry(above.span, above)}, above.span)
        return above
    merged = dict(below.entries)
    for key, entry in above.entries.items():
        old = merged.get(key)
        merged[key] = Entry(entry.key_span, _merge(old.node, entry.node)) if old else entry
    return Mapping(merged, above.span)


def _apply(items: list[Node], names: list[str | None], change: Node, report: Report) -> None:
    """Make one change to the list of layers and to their names, or report why it cannot be made."""
    if not isinstance(change, Mapping) or not change.entries:
        report.add(Diagnostic("bad-change", "a change is a mapping", change.span, help=_FORMS))
        return
    action, entry = next(iter(change.entries.items()))
    if action not in ACTIONS or not isinstance(entry.node, Scalar):
        hint = did_you_mean(action, ACTIONS)
        report.add(
            Diagnostic(
                "bad-change", f"`{action}` is not a change{hint}", entry.key_span, help=_FORMS
            )
        )
        return
    target = entry.node.text
    if target not in names:
        report.add(
            Diagnostic(
                "bad-change",
                f"the base has no layer `{describe_text(target)}`",
                entry.node.span,
                help="its layers are none",
            ),
            guessing(target, lambda: [n for n in names if n], "its layers are {words}"),
        )
        return
    new = _edited(items, names.index(target), action, change, report)
    if new is not None:
        place, layers = new
        if len(items) + len(layers) > limit("entries"):
            raise report.too_large("entries", change.span)
        items[place] = layers
        names[place] = [node_name(layer) for layer in layers]


def _edited(
    items: list[Node], at: int, action: str, change: Mapping, report: Report
) -> tuple[slice, tuple[Node, ...]] | None:
    """Return which layers a change puts where, None after reporting that it is wrong."""
    rest = dict(list(change.entries.items())[1:])
    wanted = {"replace": "by", "after": "insert", "before": "insert"}.get(action)
    extra = [k for k in rest if k != wanted] if action != "set" else []
    if extra:
        report.add(
            Diagnostic(
                "bad-change",
                f"`{action}` has no key `{extra[0]}`",
                rest[extra[0]].key_span,
                help=_FORMS,
            )
        )
        return None
    whole, before, after = slice(at, at + 1), slice(at, at), slice(at + 1, at + 1)
    if action == "remove":
        return whole, ()
    if action == "set":
        return whole, (_set(items[at], rest),)
    entry = rest.get(str(wanted))
    if entry is None or not isinstance(entry.node, Sequence):
        report.add(
            Diagnostic(
                "bad-change",
                f"`{action}` needs `{wanted}`, a list of layers",
                change.span,
                help=_FORMS,
            )
        )
        return None
    place = {"replace": whole, "after": after, "before": before}
    return place[action], entry.node.items


def _set(item: Node, values: dict[str, Entry]) -> Node:
    """Return a layer with some keys changed; `with` is merged value by value."""
    if isinstance(item, Scalar):
        word = Entry(item.span, Scalar(True, "true", item.span, quoted=False))
        item = Mapping({item.text: word}, item.span)
    if not isinstance(item, Mapping):
        return item
    entries = dict(item.entries)
    for key, entry in values.items():
        old = entries.get(key)
        keep = key == "with" and old is not None
        entries[key] = (
            Entry(entry.key_span, _merge(old.node, entry.node)) if keep and old else entry
        )
    return Mapping(entries, item.span)


_FORMS = (
    "write `{set: LAYER, KEY: VALUE}`, `{replace: LAYER, by: [...]}`, `{remove: LAYER}`, "
    "`{after: LAYER, insert: [...]}` or `{before: LAYER, insert: [...]}`"
)
