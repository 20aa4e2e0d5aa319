"""Where in a spec a cursor is, while one types: by indentation and brackets, not by a YAML parser.

A file that somebody is typing in is no YAML most of the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from compiler.spec.model import BRANCHES, CHAINS

ITEM = "[]"
"""In a path: an entry of a list."""
PROSE = frozenset((
    "cite", "claims", "doc", "drawing", "errata", "extends", "import", "label", "network", "size",
    "source", "title", "type",
))  # fmt: skip
"""Keys whose value, and all in it, is words, a path or a size."""
_KEY = re.compile(r"""(?P<key>"[^"]*"|'[^']*'|[^\s:{}\[\],#'"&*][^:{}\[\],#]*?)\s*:(?=\s|$)""")
_COMMENT = re.compile(r"(^|\s)#.*$")
_PAIRS = {"{": "}", "[": "]"}


@dataclass(slots=True)
class Level:
    """A mapping or a list that is open at the cursor."""

    indent: int
    is_list: bool
    is_flow: bool = False
    keys: list[str] = field(default_factory=list)
    """Of a mapping, those before the cursor, in order."""
    has_value: bool = False
    """True behind the colon of the last key."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is being typed."""

    path: tuple[str, ...]
    """Keys, and `[]` for entries of lists, down to the mapping or list at the cursor."""
    keys: tuple[str, ...]
    """Of that mapping, those before the cursor."""
    key: str
    """The key whose value is typed; "" where a key, or an entry of a list, is typed."""
    is_item: bool
    """True for an entry of a list that has no key yet."""
    word: str
    """The part of a word before the cursor."""

    @property
    def names(self) -> bool:
        """True where a value may speak of a name: in no prose and path, and of no op."""
        return not (self.is_layer and not self.key) and PROSE.isdisjoint((*self.path, self.key))

    @property
    def is_layer(self) -> bool:
        """True in an entry of a list of layers."""
        around, key, last = ("", "", "", *self.path)[-3:]
        return last == ITEM and (key in CHAINS or around in BRANCHES)


def place_at(text: str, line: int, column: int) -> Place:
    r"""Return what is typed at a place; lines and columns count from 1.

    >>> place_at("layers:\n  - {conv: 3x3, fil", 2, 19).path
    ('layers', '[]')
    """
    lines = text.splitlines()[: line - 1]
    last = text.splitlines()[line - 1] if line <= len(text.splitlines()) else ""
    before = last[: column - 1]
    found = re.search(r"[\w./-]*$", before)
    word = found.group() if found else ""
    levels: list[Level] = []
    for each in [*lines, before]:
        _read_line(each, levels)
    if not before.lstrip().startswith("-") and not any(level.is_flow for level in levels):
        _close(levels, len(before) - len(before.lstrip()))
    return _place(levels, before, word)


def _read_line(text: str, levels: list[Level]) -> None:
    text = _COMMENT.sub("", text)
    if levels and levels[-1].is_flow:
        _read_flow(text, levels)
        return
    content = text.lstrip()
    indent = len(text) - len(content)
    if not content or content.startswith(("---", "%")):
        return
    while content == "-" or content.startswith("- "):
        _close(levels, indent, is_item=True)
        if not (levels and levels[-1].is_list and levels[-1].indent == indent):
            levels.append(Level(indent, is_list=True))
        rest = content[1:].lstrip()
        indent, content = indent + len(content) - len(rest), rest
    key = _KEY.match(content)
    if key is None:
        if content[:1] in _PAIRS:
            _read_flow(content, levels)
        return
    _close(levels, indent)
    if not (levels and not levels[-1].is_list and levels[-1].indent == indent):
        levels.append(Level(indent, is_list=False))
    levels[-1].keys.append(key["key"].strip("\"'"))
    levels[-1].has_value = True
    rest = content[key.end() :].lstrip()
    if rest[:1] in _PAIRS:
        _read_flow(rest, levels)


def _close(levels: list[Level], indent: int, *, is_item: bool = False) -> None:
    """Leave what ends where a line of this indentation begins."""
    while levels and (
        levels[-1].indent > indent
        or (
            (is_item and levels[-1].indent == indent and not levels[-1].is_list and len(levels) > 1)
            and levels[-2].is_list
        )
    ):
        levels.pop()
    if levels and levels[-1].is_list and levels[-1].indent == indent and not is_item:
        levels.pop()


def _read_flow(text: str, levels: list[Level]) -> None:
    """Follow brackets; a key is what is before a colon."""
    word, quote = "", ""
    for char, following in zip(text, f"{text[1:]} ", strict=False):  # an empty line has neither
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in _PAIRS:
            levels.append(Level(10**6, char == "[", is_flow=True))
            word = ""
            continue
        elif char in "}]" and levels and levels[-1].is_flow:
            levels.pop()
            word = ""
            continue
        elif char == "," and levels and levels[-1].is_flow:
            levels[-1].has_value = False
            word = ""
            continue
        elif char == ":" and following in " \n" and levels and not levels[-1].is_list:
            levels[-1].keys.append(word.strip().strip("\"'"))
            levels[-1].has_value = True
            word = ""
            continue
        word += char


def _place(levels: list[Level], before: str, word: str) -> Place:
    path = tuple(_steps(levels))
    if not levels:
        return Place((), (), "", is_item=False, word=word)
    inner = levels[-1]
    if inner.is_list:
        return Place(path, (), "", is_item=True, word=word)
    opened = inner.has_value if inner.is_flow else before.strip() != word
    if inner.is_flow or opened:
        key = inner.keys[-1] if inner.keys and opened else ""
        return Place(path, tuple(inner.keys), key, is_item=False, word=word)
    indent = len(before) - len(before.lstrip())
    if indent > inner.indent and inner.has_value:  # the first key, or a value, on a line of its own
        return Place((*path, inner.keys[-1]), (), "", is_item=False, word=word)
    return Place(path, tuple(inner.keys), "", is_item=False, word=word)


def _steps(levels: list[Level]) -> Iterator[str]:
    """Yield the way to the innermost level."""
    for level in levels[:-1]:
        if level.is_list or level.keys:
            yield ITEM if level.is_list else level.keys[-1]
    if levels and levels[-1].is_list:
        yield ITEM
