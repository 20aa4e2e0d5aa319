"""Text of a spec or a file, made safe to show: what a terminal would obey is escaped."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_SPECIAL = re.compile(r"[^\x20-\x7e\n\t]")
HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Unicode's categories of what is not shown, or obeyed: controls, bidi marks, separators."""
_LONGEST_WORD = 68
LONGEST_PATH = 400
"""Characters of a path in a sentence; what is longer is no path that anybody reads."""


def shown(text: str) -> str:
    r"""Return a text with every character escaped that a terminal would obey or not show.

    Line ends and tabs stay. The escapes are those of JSON, so that JSON text stays what it is.

    >>> print(shown("a\x1b[31m b\u202e c"))
    a\u001b[31m b\u202e c
    """
    return _SPECIAL.sub(_escaped, text)


def on_one_line(text: str) -> str:
    r"""Return a text as `shown` does, and its line ends as escapes too: for a field of a line.

    >>> print(on_one_line("a title\nin.yaml: ok"))
    a title\nin.yaml: ok
    """
    return shown(text).replace("\n", "\\n").replace("\t", " ")


def shortened(text: str, longest: int = _LONGEST_WORD) -> str:
    """Return a text whose words fit a line: the middle of a longer one is left out.

    With another `longest`, words up to that length stay whole, as paths should.

    >>> shortened("9" * 5000)[40:50]
    '9999...999'
    """
    return re.sub(rf"\S{{{longest},}}", lambda match: f"{match[0][:44]}...{match[0][-12:]}", text)


def by_channel(values: Iterable[float]) -> str:
    """Return numbers, one for each channel, as text; one where all are the same.

    >>> by_channel((0.5, 0.5, 0.5)), by_channel((0.485, 0.456, 0.406))
    ('0.5', '(0.485, 0.456, 0.406)')
    """
    texts = [f"{value:g}" for value in values]
    return texts[0] if len(set(texts)) == 1 else f"({', '.join(texts)})"


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if unicodedata.category(character) not in HIDDEN:
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
