"""SVG -> PNG by resvg, with the bundled font only: the same bytes on every machine."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from importlib import import_module
from math import sqrt
from typing import Any

from compiler.errors import UsageError
from viz.formats.svg import write_svg
from viz.layout.placed import Layout
from viz.style.font import FAMILY, FONT_FILE
from viz.style.theme import Theme

PIXELS_PER_INCH = 300.0
MOST_PIXELS = 64_000_000
HEADER_END = 33
"""Where a PNG's first chunk ends: 8 bytes of signature, 25 of IHDR."""
LONGEST_SIDE = 32_767
"""Many programs refuse bitmaps with a longer side, and a larger one takes 256 MB to decode."""


def write_png(layout: Layout, theme: Theme, scale: float = 1.0) -> bytes:
    """Return the picture as a PNG of 300 pixels per inch, fewer where it would be too large."""
    resvg: Any = _resvg()
    zoom = bounded_zoom(layout.width * scale, layout.height * scale)
    svg = write_svg(layout, replace(theme, dark=None), scale)
    data = bytes(
        resvg.svg_to_bytes(
            svg_string=svg,
            zoom=zoom,
            dpi=72.0,
            skip_system_fonts=True,
            font_files=[str(FONT_FILE)],
            font_family=FAMILY,
            sans_serif_family=FAMILY,
        )
    )
    return _with_resolution(data, zoom * 72)


def _with_resolution(data: bytes, per_inch: float) -> bytes:
    """Return a PNG that says how many pixels an inch has, so that programs show it at its size."""
    per_metre = round(per_inch / 0.0254)
    body = b"pHYs" + struct.pack(">IIB", per_metre, per_metre, 1)
    chunk = struct.pack(">I", 9) + body + struct.pack(">I", zlib.crc32(body))
    return data[:HEADER_END] + chunk + data[HEADER_END:]


def bounded_zoom(width: float, height: float) -> float:
    """Return pixels per point for a picture of so many points."""
    by_area = sqrt(MOST_PIXELS / (width * height))
    zoom = min(PIXELS_PER_INCH / 72.0, LONGEST_SIDE / max(width, height), by_area)
    if zoom < 1:
        raise UsageError(
            f"a picture of {width:.0f} x {height:.0f} points is too large for a readable PNG; "
            "draw it as svg or pdf, or draw less of it (--block, --depth)"
        )
    return zoom


def _resvg() -> Any:
    try:
        return import_module("resvg_py")
    except ImportError:
        raise UsageError("PNG needs the package resvg-py: pip install resvg-py") from None
