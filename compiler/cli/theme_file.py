"""A theme by its name, or a user's own: a YAML file of colours and measures."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from compiler.errors import CompileError, Span, UsageError, did_you_mean
from compiler.text import Mapping, Node, Scalar, parse_yaml
from compiler.text.decode import decode
from viz.style.theme import THEMES, Theme

SUFFIXES = (".yaml", ".yml")
COLOUR = re.compile("#[0-9a-fA-F]{6}")
LARGEST_FILE = 100_000
SMALLEST, LARGEST = 0.1, 200.0
"""Of lengths, in points."""


def read_theme(name: str) -> Theme:
    """Return a theme.

    Args:
        name: one of `THEMES`, or a YAML file: `base: paper` and what differs from that theme.

    Raises:
        UsageError: there is no such theme, or the file is none; with the place in it.
    """
    if name in THEMES:
        return THEMES[name]
    if not name.endswith(SUFFIXES):
        raise UsageError(
            f"unknown theme `{name}`{did_you_mean(name, THEMES)}; it must be one of "
            f"{', '.join(THEMES)}, or a file that ends in .yaml"
        )
    try:
        root = parse_yaml(decode(_bytes(name), name), name)
    except CompileError as error:
        raise UsageError(str(error)) from None
    base = root.get("base")
    theme = THEMES["paper"] if base is None else _base(base)
    changes: dict[str, Any] = {"name": name}
    for key, entry in root.entries.items():
        if key == "fills":
            changes[key] = {**theme.fills, **_fills(entry.node, theme)}
        elif key != "base":
            changes[key] = _setting(theme, key, entry.key_span, entry.node)
    return replace(theme, **changes)


def _bytes(name: str) -> bytes:
    path = Path(name)
    if not path.is_file():
        raise UsageError(f"no theme file `{name}`")
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from None
    if len(data) > LARGEST_FILE:
        raise UsageError(f"{name}: a theme has at most {LARGEST_FILE:,} bytes")
    return data


def _base(node: Node) -> Theme:
    word = _text(node)
    if word not in THEMES:
        raise _bad(node.span, f"`base: {word}` is no theme; it must be one of {', '.join(THEMES)}")
    return THEMES[word]


def _fills(node: Node, theme: Theme) -> dict[str, str]:
    if not isinstance(node, Mapping):
        raise _bad(node.span, "`fills` has a colour for each kind of box, as {conv: '#cfe2f3'}")
    for kind, entry in node.entries.items():
        if kind not in theme.fills:
            kinds = ", ".join(theme.fills)
            guess = did_you_mean(kind, theme.fills)
            raise _bad(entry.key_span, f"there is no kind of box `{kind}`{guess}; {kinds}")
    return {kind: _colour(entry.node) for kind, entry in node.entries.items()}


def _setting(theme: Theme, key: str, place: Span, node: Node) -> float | str | None:
    known = {field.name: getattr(theme, field.name) for field in fields(Theme)}
    settings = [name for name in known if name not in ("name", "fills", "dark")]
    if key not in settings:
        guess = did_you_mean(key, settings)
        raise _bad(
            place, f"a theme has no `{key}`{guess}; it has base, fills, {', '.join(settings)}"
        )
    if isinstance(known[key], float):
        return _length(key, node)
    return None if key == "background" and _text(node) == "none" else _colour(node)


def _colour(node: Node) -> str:
    word = _text(node)
    if not COLOUR.fullmatch(word):
        raise _bad(node.span, f"`{word}` is no colour: write it as '#cfe2f3', in quotes")
    return word.lower()


def _length(key: str, node: Node) -> float:
    word = _text(node)
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", word) or not (
        SMALLEST <= float(word) <= LARGEST
    ):
        message = f"`{key}: {word}` is no length in points from {SMALLEST:g} to {LARGEST:g}"
        raise _bad(node.span, message)
    return float(word)


def _text(node: Node) -> str:
    return node.text if isinstance(node, Scalar) else f"a {node.kind}"


def _bad(place: Span, message: str) -> UsageError:
    return UsageError(f"{place}: {message}")
