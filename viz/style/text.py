"""Words -> lines that fit a box, with nothing in them that could act instead of being read."""

from __future__ import annotations

import unicodedata

from compiler.errors import HIDDEN
from viz.style.font import font


def visible(text: str) -> str:
    r"""Return one line of text in which every character can be seen.

    >>> visible("a\u202eb")
    'a\\u202eb'
    """
    return "".join(map(_shown, text))


def _shown(char: str) -> str:
    if char == "\t":
        return " "
    if unicodedata.category(char) not in HIDDEN:
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def lines_of(label: str, size: float, limit: float, at_bracket: bool) -> tuple[str, ...]:
    """Return a label as lines no wider than `limit`, in the unit of the type `size`.

    Args:
        label: the words; a line break in them is one here.
        size: the type size.
        limit: the greatest width; a word that is wider is cut.
        at_bracket: put what is in brackets at the end on a line of its own.
    """
    out: list[str] = []
    for line in label.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        shown = visible(line)
        head, bracket, tail = shown.partition(" (")
        if at_bracket and bracket and head and shown.endswith(")"):
            out += [*_wrapped(head, size, limit), *_wrapped(f"({tail}", size, limit)]
        else:
            out += _wrapped(shown, size, limit)
    return tuple(out)


def _wrapped(line: str, size: float, limit: float) -> list[str]:
    if font().width(line, size) <= limit:
        return [line]
    out, current = [], ""
    for word in line.split(" "):
        for piece in _cut(word, size, limit):
            longer = f"{current} {piece}" if current else piece
            if current and font().width(longer, size) > limit:
                out.append(current)
                current = piece
            else:
                current = longer
    return [*out, current]


def _cut(word: str, size: float, limit: float) -> list[str]:
    """Return a word in pieces, each no wider than the limit."""
    if font().width(word, size) <= limit:
        return [word]
    pieces, current, width = [], "", 0.0
    for char in word:
        wide = font().width(char, size)
        if current and width + wide > limit:
            pieces.append(current)
            current, width = "", 0.0
        current += char
        width += wide
    return [*pieces, current]
