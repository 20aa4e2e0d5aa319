"""Values of YAML with their places: a scalar, a mapping, a list; and what a plain scalar means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from compiler.errors import Span


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: None, bool, int, Fraction or str."""

    value: Any
    text: str
    span: Span
    quoted: bool
    notes: tuple[str, ...] = ()
    """Where a change put it, for `--emit spec`: `child.yaml:7`."""

    kind = "value"

    def inside(self, start: int, end: int) -> Span:
        """Return the place of characters `start` to `end` of the value.

        That is the whole value where the file writes it otherwise: over several lines, with
        escapes, behind an anchor.
        """
        width = self.span.end_column - self.span.column
        is_as_written = width == len(self.text) + 2 * self.quoted
        if self.span.line != self.span.end_line or not is_as_written:
            return self.span
        return self.span.inside(start + self.quoted, end + self.quoted)


@dataclass(frozen=True, slots=True)
class Entry:
    """A value in a mapping, with the place of its key."""

    key_span: Span
    node: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys in the order of the file."""

    entries: dict[str, Entry]
    span: Span
    notes: tuple[str, ...] = ()

    kind = "mapping"

    def get(self, key: str) -> Node | None:
        """Return the value of a key, or None."""
        entry = self.entries.get(key)
        return entry.node if entry else None


@dataclass(frozen=True, slots=True)
class Sequence:
    """Items in order."""

    items: tuple[Node, ...]
    span: Span
    notes: tuple[str, ...] = ()

    kind = "list"


@dataclass(frozen=True, slots=True)
class Doubled(Sequence):
    """A list whose key is given twice: the items of the first, with those of the second beside."""

    again: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class DoubledScalar(Scalar):
    """A value whose key is given twice: the first one, with the others beside."""

    again: tuple[Scalar, ...] = ()


Node = Scalar | Mapping | Sequence


def plain(node: Node) -> Any:
    """Return a node as plain Python data: dict, list, str, int, Fraction, bool, None."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(entry.node) for key, entry in node.entries.items()}


def span_at(node: Node, steps: tuple[int | str, ...]) -> Span:
    """Return the place of the value at the end of a path, or of the last value on the way."""
    return node_at(node, steps).span


def node_at(node: Node, steps: tuple[int | str, ...]) -> Node:
    """Return the value at the end of a path, or the last value on the way."""
    for step in steps:
        if isinstance(node, Mapping) and str(step) in node.entries:
            node = node.entries[str(step)].node
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            break
    return node


def key_span_at(node: Node, steps: tuple[int | str, ...]) -> Span:
    """Return the place of the key at the end of a path, or of what should hold it."""
    node, last = node_at(node, steps[:-1]), str(steps[-1])
    entry = node.entries.get(last) if isinstance(node, Mapping) else None
    return entry.key_span if entry else node.span


_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def resolve(text: str) -> Any:
    """Return the value of a plain scalar under the YAML 1.2 core schema; fractions are exact.

    But `0x3` is no hexadecimal number: it is text, for it is a size, as the padding of a 1x7.
    """
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 40 or text[0] not in "0123456789+-.":
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        value = Fraction(text)
        return value.numerator if value.denominator == 1 else value
    return text
