"""The op of every layer, put before its other keys, whose order means nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from compiler.edit.span_edits import line_starts
from compiler.errors import Span
from compiler.spec.model import BRANCHES, CHAINS, op_of
from compiler.text import Mapping, Node, Sequence, parse_yaml, plain

LISTS = CHAINS | {"by", "insert"}
"""Keys whose value is a list of layers, in changes too."""
NAMED_LISTS = BRANCHES | {"insert"}
"""Keys whose value is a mapping of such lists."""

HELD = re.compile(r"#|<<\s*:|[:,\[{-]\s*[&*]\w")
"""A comment, a merge, an anchor, an alias: they belong to what they stand beside."""


def put_ops_first(text: str, file: str) -> str:
    """Return a spec whose layers begin with their op; what stands between two keys stays there.

    A layer with a comment, an anchor or a merge among these keys stays as it is.
    """
    root = parse_yaml(text, file)
    while swaps := list(_swaps(root, text)):  # of layers in layers, the outer ones go first
        out, at = [], 0
        for begin, end, new in sorted(swaps):
            out += [text[at:begin], new]
            at = end
        changed = "".join([*out, text[at:]])
        again = parse_yaml(changed, file)
        if plain(again) != plain(root):
            break
        text, root = changed, again
    return text


def _swaps(root: Node, text: str) -> Iterator[tuple[int, int, str]]:
    """Yield from where to where the op of a layer and the keys before it stand, and what should."""
    starts = line_starts(text)
    stack: list[tuple[Node, bool]] = [(root, False)]
    while stack:
        node, is_layer = stack.pop()
        if isinstance(node, Sequence):
            stack += [(item, is_layer) for item in node.items]
        elif isinstance(node, Mapping):
            swap = _swap(node, text, starts) if is_layer else None
            if swap is not None:
                yield swap
            else:
                stack += _inside(node)


def _inside(node: Mapping) -> Iterator[tuple[Node, bool]]:
    """Yield the values of a mapping, and whether each is a list of layers."""
    for key, entry in node.entries.items():
        value = entry.node
        if key in NAMED_LISTS and isinstance(value, Mapping):
            yield from ((e.node, isinstance(e.node, Sequence)) for e in value.entries.values())
        else:
            yield value, key in LISTS and isinstance(value, Sequence)


def _swap(layer: Mapping, text: str, starts: list[int]) -> tuple[int, int, str] | None:
    op = op_of(layer.entries)
    before = list(layer.entries).index(op) if op else 0
    if before == 0:
        return None
    pairs = []
    for entry in list(layer.entries.values())[: before + 1]:
        begin = _offsets(entry.key_span, starts)[0]
        said = text[begin : _offsets(entry.node.span, starts)[1]].rstrip()
        pairs.append((begin, begin + len(said)))
    first, last = pairs[0][0], pairs[-1][1]
    begin = _offsets(layer.span, starts)[0]
    places = [place for pair in pairs for place in pair]
    if places != sorted(places) or HELD.search(text, begin, last):
        return None
    parts = [text[begin:end] for begin, end in pairs]
    gaps = [text[one[1] : other[0]] for one, other in pairwise(pairs)]
    rest = (gap + each for gap, each in zip(gaps, parts, strict=False))
    return first, last, parts[-1] + "".join(rest)


def _offsets(span: Span, starts: list[int]) -> tuple[int, int]:
    return starts[span.line - 1] + span.column - 1, starts[span.end_line - 1] + span.end_column - 1
