"""Which names the formulas of layers speak of, whether the layers are built or not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compiler.errors import Span
from compiler.ops import JOINS
from compiler.text import Mapping, Node, Sequence

NO_FORMULAS = frozenset(
    (
        *("name", "from", "share", "join", *JOINS),  # layers
        *("size", "label", "title", "cite", "errata", "doc"),  # words
        *("set", "replace", "remove", "after", "before"),  # what a change is of
    )
)
"""Keys whose values are no formulas."""
BODY = (
    *("let", "input", "defaults", "layers", "branches", "residual"),
    *("outputs", "assert", "changes"),
)
"""Keys of a network or a block under which its parameters are read."""
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?![\w.])")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def mentions(whole: Node | None) -> Iterator[tuple[str, Span]]:
    """Yield the names in the formulas of a network or a block, each with the formula's place."""
    entries = whole.entries if isinstance(whole, Mapping) else {}
    yield from names_in(*(entry.node for key, entry in entries.items() if key in BODY))


def names_in(*nodes: Node) -> Iterator[tuple[str, Span]]:
    """Yield the names in the formulas of layers, each with the formula's place."""
    stack = [*nodes]
    while stack:
        node = stack.pop()
        if isinstance(node, Mapping):
            stack += [e.node for key, e in node.entries.items() if key not in NO_FORMULAS]
        elif isinstance(node, Sequence):
            stack += node.items
        elif isinstance(node.value, str):
            for name in _NAME.findall(_QUOTED.sub("", node.text)):
                yield name, node.span
