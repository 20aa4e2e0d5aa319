"""Spec -> YAML text: what was read, with imports and variants resolved.

What a change put there says so in a comment with the change's file and line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import yaml

from compiler.errors import on_one_line, shown
from compiler.spec.loader import Spec
from compiler.text import Entry, Mapping, Node, Scalar, Sequence


def print_spec(spec: Spec) -> str:
    """Return the network that a file comes to, as one YAML document in block style."""
    assert spec.network is not None
    node = spec.network._node
    assert isinstance(node, Mapping)
    out = {
        key: entry
        for key, entry in node.entries.items()
        if key not in ("import", "extends", "changes", "blocks")
    }
    blocks = {n: Entry(b.span(), b._node) for n, b in spec.blocks.items() if b._node is not None}
    out["blocks"] = Entry(node.span, Mapping(blocks, node.span))
    records = _records(spec, Mapping(out, node.span))
    if records is not None:
        old = out.pop("errata", None)
        ids = old.node.items if old is not None and isinstance(old.node, Sequence) else ()
        out["errata"] = Entry(node.span, Sequence((*ids, records), node.span))
    return "\n".join(_lines(Mapping(out, node.span), "")) + "\n"


def _records(spec: Spec, whole: Mapping) -> Mapping | None:
    """Return the errata that are named somewhere; None where none is."""
    named = set(_errata(whole))
    records = {
        name: Entry(record.span(), record._node)
        for name, record in spec.errata.items()
        if name in named and record._node is not None
    }
    return Mapping(records, whole.span) if records else None


def _errata(node: Node) -> Iterator[str]:
    stack: list[Node] = [node]
    while stack:
        top = stack.pop()
        if isinstance(top, Sequence):
            stack += top.items
        elif isinstance(top, Mapping):
            stack += [entry.node for entry in top.entries.values()]
            for key in ("errata", "erratum"):
                ids = top.get(key)
                for item in ids.items if isinstance(ids, Sequence) else (ids,):
                    if isinstance(item, Scalar):
                        yield item.text


def _lines(node: Node, indent: str) -> Iterator[str]:
    """Yield the lines of a mapping or list that is not empty."""
    if isinstance(node, Mapping):
        for key, entry in node.entries.items():
            yield from _entry(f"{indent}{_word(key)}:", entry.node, indent)
    elif isinstance(node, Sequence):
        for item in node.items:
            if isinstance(item, Scalar) or not _is_full(item):
                yield from _entry(f"{indent}-", item, indent)
                continue
            first, *rest = _lines(replace(item, notes=()), indent + "  ")
            yield from _above(item, indent)
            yield f"{indent}- {first[len(indent) + 2 :]}"
            yield from rest


def _is_full(node: Node) -> bool:
    return bool(node.entries if isinstance(node, Mapping) else getattr(node, "items", ()))


def _entry(head: str, node: Node, indent: str) -> Iterator[str]:
    """Yield a key or a dash with what stands behind it."""
    if not isinstance(node, Scalar) and _is_full(node):
        yield from _above(node, indent)
        yield head
        yield from _lines(node, indent + ("  " if isinstance(node, Mapping) else ""))
        return
    text = (
        _word(node.value)
        if isinstance(node, Scalar)
        else "{}"
        if isinstance(node, Mapping)
        else "[]"
    )
    yield f"{head} {text}" + (f"  # {_note(node)}" if node.notes else "")


def _above(node: Node, indent: str) -> Iterator[str]:
    for note in node.notes:
        yield f"{indent}# {on_one_line(note)}"


def _note(node: Node) -> str:
    return on_one_line("; ".join(node.notes))


@lru_cache(maxsize=None, typed=True)
def _word(value: Any) -> str:
    """Return a value as YAML writes it on one line."""
    if isinstance(value, Fraction):
        value = float(value)
    # YAML's escapes are for quoted words, so the text must not leave escaping to the terminal.
    escaped = isinstance(value, str) and ("\n" in value or shown(value) != value)
    style = '"' if escaped else None
    text: str = yaml.safe_dump(value, default_style=style, allow_unicode=not escaped, width=10**9)
    return text.removesuffix("\n").removesuffix("\n...")
