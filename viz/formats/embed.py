"""The used letters of the bundled font, as a small font program for a PDF."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from typing import Any

from compiler.errors import UsageError
from viz.style.font import FONT_FILE, font


@dataclass(frozen=True, slots=True)
class FontParts:
    """A font program and, character by character, its glyphs and widths (in ems)."""

    name: str
    program: bytes
    characters: list[str]
    glyphs: list[int]
    widths: list[float]


def embed(characters: list[str]) -> FontParts:
    """Return the font with the glyphs of `characters` only; others get the font's empty box."""
    subset: Any = _fonttools("fontTools.subset")
    ttlib: Any = _fonttools("fontTools.ttLib")
    face = ttlib.TTFont(FONT_FILE, recalcTimestamp=False)
    options = subset.Options(layout_features=[], notdef_outline=True, hinting=False)
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "kern", "FFTM", "name", "post", "DSIG", "OS/2"]
    tool = subset.Subsetter(options)
    tool.populate(unicodes=[ord(c) for c in characters if ord(c) in font().glyphs])
    tool.subset(face)
    names = face.getBestCmap()
    glyphs = [face.getGlyphID(names[ord(c)]) if ord(c) in names else 0 for c in characters]
    out = BytesIO()
    face.save(out, reorderTables=True)
    widths = [font().width(c, 1.0) for c in characters]
    return FontParts(FONT_FILE.stem, out.getvalue(), characters, glyphs, widths)


def _fonttools(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise UsageError("PDF needs the package fonttools: pip install fonttools") from None
