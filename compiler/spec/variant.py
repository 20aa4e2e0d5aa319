"""A network over the one that it extends: what differs, laid over what is shared."""

from __future__ import annotations

from dataclasses import replace

from compiler.errors import Diagnostic, Report
from compiler.spec.changes import Reach, change_layers, is_structural
from compiler.spec.merge import is_null, merged, noted, place_of, take_away
from compiler.spec.model import op_of
from compiler.spec.naming import TRANSPARENT
from compiler.spec.params import guess_type
from compiler.text import Entry, Mapping, Node, Scalar, Sequence, describe, plain

MERGED = ("params", "let", "defaults", "input")
"""Keys whose entries are merged one by one; every other key replaces the base's."""
NEEDED = ("network", "layers", "input")
"""Keys that a network cannot do without."""


def overlay(
    base: Mapping, variant: Mapping, redefines: bool, reach: Reach, report: Report
) -> Mapping:
    """Return the base's mapping with the variant's keys over it and its `changes` made.

    What the base states of itself, sizes, claims, title, holds for the base: a variant with the
    same values for all parameters and inputs and the same layers keeps it, another does not.

    Args:
        base: the network that is extended.
        variant: what extends it.
        redefines: whether the variant defines a block of the base anew.
        reach: makes the changes that reach into blocks.
        report: takes the errors.
    """
    entries = {
        k: e for k, e in base.entries.items() if k not in ("import", "blocks", "extends", "changes")
    }
    _release(base, variant, redefines, entries)
    for key, entry in variant.entries.items():
        if key not in ("import", "blocks", "extends", "changes"):
            _lay_over(entries, key, entry, report)
    changes, layers = variant.get("changes"), entries.get("layers")
    if isinstance(changes, Sequence) and layers and isinstance(layers.node, Sequence):
        report.spend("changes", len(changes.items), changes.span)
        node = change_layers(layers.node, changes, "the base", reach, report)
        entries["layers"] = Entry(layers.key_span, node)
    elif changes is not None and not (isinstance(changes, Sequence) and report.is_partial):
        message = "`changes` goes with a base that has `layers`"
        help = "extend a network"
        if not isinstance(changes, Sequence):
            message = f"`changes` is {describe(plain(changes))}, not a list"
            help = "write each as an item: `- {set: LAYER, filters: 64}`"
        report.add(Diagnostic("bad-change", message, changes.span, help=help))
    return Mapping(entries, variant.span)


def _lay_over(entries: dict[str, Entry], key: str, entry: Entry, report: Report) -> None:
    """Lay one key of a variant over those of its base."""
    below = entries.get(key)
    if is_null(entry.node):
        if key in NEEDED:
            help = "give it a value, or take the line out: it is inherited then"
            message = f"a network needs `{key}`: it cannot be taken away"
            report.add(Diagnostic("bad-change", message, entry.key_span, help=help))
        elif take_away(key, "the base", entry, below, report):
            del entries[key]
        return
    if key == "params" and below is not None:
        node = over_params(below.node, entry.node, report)
    elif key in MERGED and below is not None:
        node = merged(below.node, entry.node, report, f"`{key}` of the base")
    else:
        node = noted(entry.node, place_of(entry))
    entries[key] = Entry(entry.key_span, node)


def over_params(below: Node, above: Node, report: Report) -> Node:
    """Return parameters with a variant's over them."""
    typed = _with_types(below)
    return merged(typed, _as_defaults(typed, above), report, "`params` of the base")


def _with_types(params: Node) -> Node:
    """Return parameters with the types that their defaults give them.

    So a variant's value is read, and refused, as that of `--set`.
    """
    if not isinstance(params, Mapping):
        return params
    out = dict(params.entries)
    for name, entry in out.items():
        if isinstance(entry.node, Mapping) or is_null(entry.node):
            continue
        word = guess_type(plain(entry.node))
        kind = Entry(entry.node.span, Scalar(word, word, entry.node.span, quoted=False))
        both = {"type": kind, "default": Entry(entry.key_span, entry.node)}
        out[name] = Entry(entry.key_span, Mapping(both, entry.node.span))
    return replace(params, entries=out)


def _as_defaults(below: Node, above: Node) -> Node:
    """Return a variant's parameters: a plain value is the new default of one that is there."""
    if not isinstance(above, Mapping) or not isinstance(below, Mapping):
        return above
    out = dict(above.entries)
    for name, entry in out.items():
        if (
            name in below.entries
            and not isinstance(entry.node, Mapping)
            and not is_null(entry.node)
        ):
            default = {"default": Entry(entry.node.span, entry.node)}
            out[name] = Entry(entry.key_span, Mapping(default, entry.node.span))
    return replace(above, entries=out)


def _release(base: Mapping, variant: Mapping, redefines: bool, entries: dict[str, Entry]) -> None:
    """Take out of a base what it states of itself and what does not hold for the variant."""
    is_another = (
        redefines
        or "layers" in variant.entries
        or "outputs" in variant.entries
        or is_structural(variant.get("changes"))
        or _differs(base.get("defaults"), variant.get("defaults"))
        or _differs(base.get("let"), variant.get("let"))
    )
    name = variant.get("network")
    if is_another or (name is not None and plain(name) != plain(base.get("network") or name)):
        for key in ("title", "doc"):
            entries.pop(key, None)
    params, given = base.get("params"), variant.get("params")
    is_set = False
    if params is not None and given is not None:
        typed = _with_types(params)
        is_set = _differs(typed, _as_defaults(typed, given))
    if not (is_another or is_set or _differs(base.get("input"), variant.get("input"))):
        return
    claims, layers = entries.pop("claims", None), entries.get("layers")
    if claims is not None and isinstance(claims.node, Sequence) and not is_another:
        words = tuple(
            c for c in claims.node.items if not (isinstance(c, Mapping) and "value" in c.entries)
        )
        if words:
            entries["claims"] = Entry(claims.key_span, replace(claims.node, items=words))
    if layers is not None:
        entries["layers"] = Entry(layers.key_span, without_sizes(layers.node))


def _differs(below: Node | None, above: Node | None) -> bool:
    """True where a mapping says something else than the one below it; new keys are no matter."""
    if not isinstance(above, Mapping):
        return above is not None and (below is None or plain(above) != plain(below))
    old = below.entries if isinstance(below, Mapping) else {}
    for key, entry in above.entries.items():
        if key in ("doc", "cite") or key not in old:
            continue
        if isinstance(entry.node, Mapping):
            if _differs(old[key].node, entry.node):
                return True
        elif plain(entry.node) != plain(old[key].node):
            return True
    return False


def without_sizes(node: Node) -> Node:
    """Return a list of layers without the sizes that it states, those in its branches too."""
    if isinstance(node, Mapping) and (entry := node.entries.get("layers")):  # with a `when`
        layers = Entry(entry.key_span, without_sizes(entry.node))
        return replace(node, entries={**node.entries, "layers": layers})
    if not isinstance(node, Sequence):
        return node
    return replace(node, items=tuple(_without_size(item) for item in node.items))


def _without_size(item: Node) -> Node:
    if not isinstance(item, Mapping) or not item.entries:
        return item
    entries = {key: entry for key, entry in item.entries.items() if key != "size"}
    op = op_of(item.entries)
    entry = item.entries.get(op)
    if op == "layers" and entry:
        entries[op] = Entry(entry.key_span, without_sizes(entry.node))
    elif op in TRANSPARENT and entry and isinstance(entry.node, Mapping):
        inner = {k: Entry(e.key_span, without_sizes(e.node)) for k, e in entry.node.entries.items()}
        entries[op] = Entry(entry.key_span, replace(entry.node, entries=inner))
    return replace(item, entries=entries)
