"""A YAML mapping -> a model; pydantic finds the faults, `faults` has the words for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, TypeVar

from pydantic import ValidationError

from compiler.errors import Diagnostic, Report, listing, nearest
from compiler.errors.foreign import KEYS, PLACED
from compiler.spec.faults import report_empty, report_faults, unknown_field
from compiler.spec.merge import is_null
from compiler.text import (
    DoubledScalar,
    Entry,
    Located,
    Mapping,
    Node,
    Scalar,
    describe_text,
    plain,
)

M = TypeVar("M", bound=Located)
NOTHING_READ: dict[str, Any] = {}


def validate(
    model: type[M],
    node: Node,
    what: str,
    report: Report,
    read: dict[str, Any] = NOTHING_READ,
    keys: Collection[str] | None = None,
) -> M | None:
    """Return a model of what a node holds, or None after reporting each fault at its place.

    Args:
        model: what the values are read as.
        node: a mapping, or a value that is written in the place of one.
        what: what a message calls it.
        report: gets the findings.
        read: key -> its value, where that is not the plain data that the node has under it.
        keys: the other keys of the node that are the model's; default: all.
    """
    own = node.entries if isinstance(node, Mapping) else {}
    if keys is None:
        keys = [key for key in own if key not in read]
    for key, second in _given_twice(own):  # for what is wrong with them
        if key in read or key in keys:
            other = Mapping({**own, key: Entry(own[key].key_span, second)}, node.span)
            validate(model, other, what, report, {**read, key: second.value}, keys)
    fields = {key: field for field, key in model.spelled.items()}
    values, empty = dict[str, Any](), list[str]()
    for key in (*keys, *read):
        value, entry = read[key] if key in read else plain(own[key].node), own.get(key)
        if value is None and entry is not None and is_null(entry.node):
            empty.append(key)
        elif entry is not None and (key in model.hidden or key in model.spelled):
            report.add(unknown_field(model, what, key, entry.key_span))
        else:
            values[fields.get(key, key)] = value
    if empty:
        report_empty(node, empty, what, report)
    try:
        out = model.model_validate(values)
    except ValidationError as error:
        report_faults(model, node, what, error, empty, report)
        return None
    out.locate(node)
    return None if empty else out


def alone(key: str, node: Node) -> dict[str, Any]:
    """Return the value of a key that is written without it, in the place of a mapping."""
    return {} if isinstance(node, Mapping) else {key: plain(node)}


def _given_twice(own: dict[str, Entry]) -> Iterator[tuple[str, Scalar]]:
    """Yield each key that is given twice, with the second value."""
    for key, entry in own.items():
        if isinstance(entry.node, DoubledScalar):
            yield from ((key, second) for second in entry.node.again)


def as_meant(node: Mapping, known: list[str], what: str, report: Report) -> Mapping:
    """Return a mapping with its unknown keys as those that they stand for, each reported once.

    What stands under a key that resembles none is lost to those who refer to it.
    """
    entries: dict[str, Entry] = {}
    meant: dict[str, Entry] = {}
    for key, entry in node.entries.items():
        if key in known:
            entries[key] = entry
            continue
        guess = _word_for(key, known)
        if guess is not None:
            meant.setdefault(guess, entry)
        elif not isinstance(entry.node, Scalar):
            report.is_partial = True
        hint = f" (did you mean `{guess}`?)" if guess else ""
        message = f"{what} has no key `{describe_text(key)}`{hint}"
        help = f"{what} takes {listing(known)}"
        if key in PLACED and what != "a spec":
            help = f"{PLACED[key]}; {help}"
        report.add(Diagnostic("unknown-field", message, entry.key_span, help=help))
    return Mapping({**meant, **entries}, node.span, node.notes)


def _word_for(key: str, known: list[str]) -> str | None:
    """Return the key of a spec or a block that a word of another tool, or a slip, stands for."""
    return next((w for w in KEYS.get(key.lower(), ()) if w in known), None) or nearest(key, known)
