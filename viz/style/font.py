"""Text widths from the bundled font's own tables, so that no text is ever wider than its box."""

from __future__ import annotations

import struct
import unicodedata
from functools import cache
from pathlib import Path

FONT_FILE = Path(__file__).with_name("fonts") / "LiberationSans-Regular.ttf"
"""Liberation Sans, SIL Open Font License 1.1; its widths are those of Arial and Helvetica."""

FAMILY = "Liberation Sans"
FALLBACKS = ("Arimo", "Arial", "Helvetica", "sans-serif")
"""Families of the same widths, for a viewer without the font."""


class Font:
    """The parts of a TrueType file that measuring needs: advance widths and the character map."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        tables = _tables(data)
        self.units: int = struct.unpack_from(">H", data, tables["head"] + 18)[0]
        hhea = tables["hhea"]
        self.ascent, self.descent = struct.unpack_from(">hh", data, hhea + 4)
        (count,) = struct.unpack_from(">H", data, hhea + 34)
        raw = struct.unpack_from(f">{2 * count}H", data, tables["hmtx"])
        self.advances: tuple[int, ...] = raw[::2]
        self.glyphs = _character_map(data, tables["cmap"])
        self._widths: dict[str, float] = {}

    def advance(self, glyph: int) -> int:
        """Return the width of a glyph in font units; the last width holds for the rest."""
        return self.advances[min(glyph, len(self.advances) - 1)]

    def width(self, text: str, size: float) -> float:
        """Return the width of a line of text in the unit of `size`."""
        return sum(map(self._width, text)) * size / self.units

    def _width(self, char: str) -> float:
        if char not in self._widths:
            self._widths[char] = self._measure(char)
        return self._widths[char]

    def _measure(self, char: str) -> float:
        glyph = self.glyphs.get(ord(char))
        if glyph:
            return self.advance(glyph)
        if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
            return 0.0
        # A viewer takes another font here; no common one has a glyph wider than the em square.
        return float(self.units)


@cache
def font() -> Font:
    """Return the bundled font."""
    return Font(FONT_FILE.read_bytes())


def _tables(data: bytes) -> dict[str, int]:
    (count,) = struct.unpack_from(">H", data, 4)
    records = (struct.unpack_from(">4sIII", data, 12 + 16 * i) for i in range(count))
    return {tag.decode("ascii"): offset for tag, _, offset, _ in records}


def _character_map(data: bytes, start: int) -> dict[int, int]:
    """Return code point -> glyph from the Unicode sub-table of format 4 (the basic plane)."""
    (count,) = struct.unpack_from(">H", data, start + 2)
    for i in range(count):
        platform, encoding, offset = struct.unpack_from(">HHI", data, start + 4 + 8 * i)
        (layout,) = struct.unpack_from(">H", data, start + offset)
        if layout == 4 and (platform == 0 or (platform, encoding) == (3, 1)):
            return _segments(data, start + offset)
    raise ValueError(f"{FONT_FILE.name} has no Unicode character map of format 4")


def _segments(data: bytes, at: int) -> dict[int, int]:
    (double,) = struct.unpack_from(">H", data, at + 6)
    count = double // 2
    ends = struct.unpack_from(f">{count}H", data, at + 14)
    starts = struct.unpack_from(f">{count}H", data, at + 16 + double)
    deltas = struct.unpack_from(f">{count}H", data, at + 16 + 2 * double)
    ranges_at = at + 16 + 3 * double
    ranges = struct.unpack_from(f">{count}H", data, ranges_at)
    out: dict[int, int] = {}
    for i in range(count):
        for code in range(starts[i], min(ends[i], 0xFFFE) + 1):
            if ranges[i] == 0:
                glyph = (code + deltas[i]) & 0xFFFF
            else:
                place = ranges_at + 2 * i + ranges[i] + 2 * (code - starts[i])
                (glyph,) = struct.unpack_from(">H", data, place)
                glyph = (glyph + deltas[i]) & 0xFFFF if glyph else 0
            if glyph:
                out[code] = glyph
    return out
