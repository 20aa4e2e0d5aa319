"""The words of a picture that the bundled font cannot draw."""

from __future__ import annotations

import unicodedata

from viz.diagram.parts import Diagram
from viz.style.font import font
from viz.style.text import visible


def missing_letters(diagram: Diagram) -> tuple[str, ...]:
    """Return the letters of a picture for which the bundled font has no glyph, in order."""
    words = [box.label for box in diagram.boxes()] + [group.label for group in diagram.groups()]
    words += [note for box in diagram.boxes() for note in box.notes]
    letters = dict.fromkeys(char for word in (*words, *diagram.notes) for char in visible(word))
    return tuple(
        char
        for char in letters
        if not font().glyphs.get(ord(char)) and not unicodedata.category(char).startswith("M")
    )
