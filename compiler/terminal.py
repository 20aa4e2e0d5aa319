"""What a terminal can show: colour, wide characters, its encoding."""

from __future__ import annotations

import os
import unicodedata
from typing import IO


def wants_color(stream: IO[str]) -> bool:
    """True for a terminal, unless NO_COLOR is set or the terminal is dumb."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def display_width(text: str) -> int:
    """Return the columns that a text takes: East Asian wide characters take two."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def write(stream: IO[str], text: str) -> None:
    """Write text to a stream whatever its encoding."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()
