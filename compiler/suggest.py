"""Did you mean: near matches for names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question in brackets, or nothing where no known word is near."""
    match = nearest(word, known)
    return f" (did you mean `{match}`?)" if match else ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is nearest, comparing without regard to case and `_`."""
    folded: dict[str, str] = {}
    for candidate in known:
        folded.setdefault(_fold(candidate), candidate)
    close = get_close_matches(_fold(word[:80]), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def _fold(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")


def listing(words: Iterable[str], most: int = 40) -> str:
    """Return words as a list for an error: `a`, `b` and 3 more."""
    items = [f"`{w}`" for w in words]
    rest = len(items) - most
    return ", ".join(items[:most]) + (f" and {rest} more" if rest > 0 else "") if items else "none"
