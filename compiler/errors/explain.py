"""A page for each code: what is wrong, a spec that is, its message, and the spec mended."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from compiler.errors.report import UsageError
from compiler.errors.suggest import did_you_mean

FOLDER = Path(__file__).parent / "pages"
_FENCE = re.compile(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True, slots=True)
class Page:
    """What there is to say of a code."""

    code: str
    words: str
    wrong: str
    message: str
    mended: str
    how: str = ""
    """How the wrong file is read, where not as a spec by `check`: `map` (of weights), `recipe`,
    `paper` (compared with it), `latin-1` (its encoding), `NAME=VALUE` (with that set)."""
    text: str = ""
    """The page itself, in Markdown."""

    @property
    def summary(self) -> str:
        """The first sentence."""
        sentence = " ".join(self.words.split()).partition(". ")[0]
        return sentence.removesuffix(".")


@cache
def codes() -> tuple[str, ...]:
    """Return every code that has a page, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.md")))


def page(code: str) -> Page:
    """Return the page of a code.

    Raises:
        UsageError: there is no such code.
    """
    if code not in codes():
        raise UsageError(
            f"there is no code `{code}`{did_you_mean(code, codes())}; `explain` lists all"
        )
    text = (FOLDER / f"{code}.md").read_text(encoding="utf-8")
    words = text.partition("\n\n")[2].partition("\n\n```")[0]
    (_, how, wrong), (_, _, message), (_, _, mended) = _FENCE.findall(text)
    return Page(code, words, wrong, message, mended, how, text)
