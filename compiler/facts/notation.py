"""How a document writes words, counts and sizes: Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from compiler.graph import Dim, Shape, Symbolic, show, show_count

_OBEYED = re.compile(r"[\\`*_\[\]<>|~#$]")
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\u00d7": r"$\times$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
_INNERMOST = re.compile(r"\((?P<inner>[^()]*)\)(?://(?P<by>\d+))?")
_SIGNS = str.maketrans({"*": "·", "~": "≈", "<": "(", ">": ")"})
_COMMANDS = {"⌊": r"\lfloor ", "⌋": r"\rfloor ", "≈": r"\approx ", "·": r"\,", ",": "{,}"}


@dataclass(frozen=True, slots=True)
class Notation:
    """A kind of document.

    `text` escapes what it would obey, `formula` writes the signs of `in_signs`, which stand
    between two `marks`.
    """

    text: Callable[[str], str]
    formula: Callable[[str], str]
    times: str
    marks: str

    def count(self, count: Dim) -> str:
        """Return a count; of a long formula how it grows."""
        shown = show_count(count)
        return self._marked(self._formula(shown)) if _is_open(count) else self.text(shown)

    def sizes(self, shape: Shape) -> str:
        """Return a size, height x width x channels; a sum is bracketed."""
        if not any(map(_is_open, shape)):
            return self.text(shape.paper)
        dims = [*shape.grid, shape.channels]
        texts = [self._formula(show(dim)) for dim in dims]
        if len(dims) > 1:
            is_sum = [isinstance(dim, Symbolic) and len(dim.terms) > 1 for dim in dims]
            texts = [f"({t})" if s else t for t, s in zip(texts, is_sum, strict=True)]
        return self._marked(self.times.join(texts))

    def about(self, counts: Iterable[Dim]) -> str:
        """Return what the sign of growth means, where one of the counts is shown by it."""
        is_shown = any(show_count(count).startswith("~") for count in counts)
        sign = self._marked(self._formula("~").strip())
        return f"; {sign} is how a longer formula grows" if is_shown else ""

    def _formula(self, text: str) -> str:
        return self.formula(in_signs(text))

    def _marked(self, text: str) -> str:
        return f"{self.marks}{text}{self.marks}"


def _is_open(dim: Dim) -> bool:
    return isinstance(dim, Symbolic)


def in_signs(formula: str) -> str:
    """Return a formula as mathematics writes it.

    >>> in_signs("576*((H+1)//2-4)*(W//2)")
    '576·(⌊(H+1)/2⌋-4)·⌊W/2⌋'
    """
    formula = re.sub(r"(\w+)//(\d+)", r"⌊\1/\2⌋", formula)
    while (text := _INNERMOST.sub(_group, formula)) != formula:
        formula = text
    return formula.translate(_SIGNS)


def _group(found: re.Match[str]) -> str:
    """Return the innermost brackets as a floor, or as what is no longer looked into."""
    if found["by"]:
        return f"⌊<{found['inner']}>/{found['by']}⌋"
    return found["inner"] if re.fullmatch("⌊[^⌊⌋]*⌋", found["inner"]) else f"<{found['inner']}>"


def _markdown(text: str) -> str:
    """Escape what Markdown would obey inside a line."""
    return _OBEYED.sub(r"\\\g<0>", text.replace("&", "&amp;"))


def _latex(text: str) -> str:
    """Escape what LaTeX would obey; the x of a size becomes the sign of multiplication."""
    escaped = "".join(_ESCAPES.get(character, character) for character in text)
    return re.sub(r"(?<=\d)( ?)x(?=\1\d)", r"\1$\\times$", escaped)


def _mathematics(signs: str) -> str:
    """Return a formula for LaTeX's mathematics; a letter of several characters is one name."""
    signs = re.sub(r"\b([^\W\d])·(?=[^\W\d]\b)", r"\1 ", signs)
    named = re.sub(r"[^\W\d]\w+", lambda name: rf"\mathit{{{_latex(name[0])}}}", signs)
    return "".join(_COMMANDS.get(character, character) for character in named).strip()


MARKDOWN = Notation(_markdown, _markdown, "x", "")
LATEX = Notation(_latex, _mathematics, r" \times ", "$")
