"""Layout -> PDF, vector graphics with the used letters of the bundled font embedded.

Text stays text: it can be searched and copied, also where the font has no picture of a
character. The bytes depend on the picture alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from viz.formats.embed import FontParts, embed
from viz.formats.strokes import arrow_shape, describe, number
from viz.layout.placed import Area, Layout, PlacedArrow, PlacedBox, PlacedFrame, Text
from viz.style.font import font
from viz.style.text import visible
from viz.style.theme import Theme

LANGUAGE = "en"
"""Of the words that are ours: labels of operations, and the description."""
KAPPA = 0.5523
"""How far a Bezier curve's handles reach to draw a quarter of an ellipse."""


def write_pdf(layout: Layout, theme: Theme, scale: float = 1.0) -> bytes:
    """Return the picture as a one-page PDF 1.4; `scale` 1 is points.

    It is tagged: one figure with a text for who cannot see it, in a document with language and
    title.
    """
    page = _Page(theme, layout.height)
    drawn = [f"{scale:.6f} 0 0 {scale:.6f} 0 0 cm", *page.draw(layout)]
    stream = "\n".join(["/Figure<</MCID 0>>BDC", *drawn, "EMC"])
    parts = embed(list(page.codes))
    file = _File()
    content = file.add_stream(stream.encode("ascii"))
    face = _add_font(file, parts)
    box = f"[0 0 {number(layout.width * scale)} {number(layout.height * scale)}]"
    pages = file.reserve()
    first = file.add(
        f"<</Type/Page/Parent {pages} 0 R/MediaBox{box}/Contents {content} 0 R"
        f"/Resources<</Font<</F {face} 0 R>>>>/StructParents 0/Tabs/S>>"
    )
    file.fill(pages, f"<</Type/Pages/Count 1/Kids[{first} 0 R]>>")
    tree = _add_structure(file, first, describe(layout))
    root = file.add(
        f"<</Type/Catalog/Pages {pages} 0 R/Lang({LANGUAGE})/MarkInfo<</Marked true>>"
        f"/StructTreeRoot {tree} 0 R/ViewerPreferences<</DisplayDocTitle true>>>>"
    )
    title = _words(visible(layout.diagram.title))
    info = file.add(f"<</Title{title}/Producer(netdraft)>>")
    return file.finish(root, info)


def _add_structure(file: _File, page: int, words: str) -> int:
    """Add the structure of a document that is one figure; return its root."""
    tree, document = file.reserve(), file.reserve()
    figure = file.add(
        f"<</Type/StructElem/S/Figure/P {document} 0 R/Pg {page} 0 R/K 0/Alt{_words(words)}>>"
    )
    file.fill(document, f"<</Type/StructElem/S/Document/P {tree} 0 R/K[{figure} 0 R]>>")
    parents = file.add(f"<</Nums[0[{figure} 0 R]]>>")
    file.fill(
        tree,
        f"<</Type/StructTreeRoot/K[{document} 0 R]/ParentTree {parents} 0 R/ParentTreeNextKey 1>>",
    )
    return tree


def _words(text: str) -> str:
    """Return text as a string of PDF."""
    return "<FEFF" + text.encode("utf-16-be").hex().upper() + ">"


@dataclass
class _File:
    """PDF objects in order; numbers count from 1."""

    bodies: list[bytes] = field(default_factory=list)

    def reserve(self) -> int:
        self.bodies.append(b"")
        return len(self.bodies)

    def fill(self, place: int, body: str | bytes) -> None:
        self.bodies[place - 1] = body.encode("ascii") if isinstance(body, str) else body

    def add(self, body: str | bytes) -> int:
        place = self.reserve()
        self.fill(place, body)
        return place

    def add_stream(self, data: bytes, entries: str = "") -> int:
        packed = zlib.compress(data, 9)
        head = f"<</Length {len(packed)}/Filter/FlateDecode{entries}>>\nstream\n"
        return self.add(head.encode("ascii") + packed + b"\nendstream")

    def finish(self, root: int, info: int) -> bytes:
        out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
        starts = []
        for place, body in enumerate(self.bodies, start=1):
            starts.append(len(out))
            out += f"{place} 0 obj\n".encode("ascii") + body + b"\nendobj\n"
        table = len(out)
        size = len(self.bodies) + 1
        out += f"xref\n0 {size}\n0000000000 65535 f \n".encode("ascii")
        out += b"".join(f"{start:010d} 00000 n \n".encode("ascii") for start in starts)
        entries = f"/Size {size}/Root {root} 0 R/Info {info} 0 R"
        out += f"trailer\n<<{entries}>>\nstartxref\n{table}\n%%EOF\n".encode("ascii")
        return bytes(out)


def _add_font(file: _File, parts: FontParts) -> int:
    """Add the font as a composite font whose codes are our own, one for each character."""
    program = file.add_stream(parts.program, f"/Length1 {len(parts.program)}")
    face = font()
    scale = 1000 / face.units
    name = f"/NDRAFT+{parts.name}"
    descriptor = file.add(
        f"<</Type/FontDescriptor/FontName{name}/Flags 4/FontBBox[-500 -300 1500 1100]"
        f"/ItalicAngle 0/Ascent {face.ascent * scale:.0f}/Descent {face.descent * scale:.0f}"
        f"/CapHeight 729/StemV 80/FontFile2 {program} 0 R>>"
    )
    glyphs = file.add_stream(b"".join(g.to_bytes(2, "big") for g in (0, *parts.glyphs)))
    widths = " ".join(f"{w * 1000:.0f}" for w in parts.widths)
    descendant = file.add(
        f"<</Type/Font/Subtype/CIDFontType2/BaseFont{name}"
        f"/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
        f"/FontDescriptor {descriptor} 0 R/CIDToGIDMap {glyphs} 0 R/DW 0/W[1[{widths}]]>>"
    )
    unicode = file.add_stream(_to_unicode(parts.characters).encode("ascii"))
    return file.add(
        f"<</Type/Font/Subtype/Type0/BaseFont{name}/Encoding/Identity-H"
        f"/DescendantFonts[{descendant} 0 R]/ToUnicode {unicode} 0 R>>"
    )


def _to_unicode(characters: list[str]) -> str:
    """Return the map from our codes to Unicode, a hundred lines at a time as the format asks."""
    lines = [
        f"<{code:04X}><{char.encode('utf-16-be').hex().upper()}>"
        for code, char in enumerate(characters, start=1)
    ]
    blocks = []
    for start in range(0, len(lines), 100):
        part = lines[start : start + 100]
        blocks.append(f"{len(part)} beginbfchar\n" + "\n".join(part) + "\nendbfchar")
    return (
        "/CIDInit/ProcSet findresource begin 12 dict begin begincmap\n"
        "/CMapName/Netdraft def/CMapType 2 def\n"
        "1 begincodespacerange<0000><FFFF>endcodespacerange\n"
        + "\n".join(blocks)
        + "\nendcmap CMapName currentdict/CMap defineresource pop end end"
    )


class _Page:
    """Draws with PDF operators; y grows upwards there. Collects the characters that it uses."""

    def __init__(self, theme: Theme, height: float) -> None:
        self.theme = theme
        self.height = height
        self.codes: dict[str, int] = {}

    def draw(self, layout: Layout) -> Iterator[str]:
        if self.theme.background:
            yield f"{_colour(self.theme.background)} rg"
            yield f"0 0 {number(layout.width)} {number(layout.height)} re f"
        yield f"{number(self.theme.line_width)} w"
        for frame in layout.frames:
            yield from self._frame(frame)
        for box in layout.boxes:
            yield from self._box(box)
        # Above the boxes, so that their heads are wholly visible.
        for arrow in layout.arrows:
            yield from self._arrow(arrow)
        for swatch in layout.swatches:
            yield f"{_colour(self.theme.warmth(swatch.heat))} rg {self._rect(swatch.area)} f"
        yield from map(self._text, layout.texts)

    def _frame(self, frame: PlacedFrame) -> Iterator[str]:
        yield f"{_colour(self.theme.frame_fill)} rg {_colour(self.theme.frame)} RG [3 2] 0 d"
        yield f"{self._rect(frame.area)} B [] 0 d"
        yield from map(self._text, frame.texts)

    def _box(self, placed: PlacedBox) -> Iterator[str]:
        theme, box = self.theme, placed.box
        edge, width = theme.edge(box, placed.round), number(theme.edge_width(box))
        yield f"{_colour(theme.fill(box))} rg {_colour(edge)} RG {width} w"
        shape = (self._ellipse if placed.round else self._rect)(placed.area) + " B"
        yield f"[4 3] 0 d {shape} [] 0 d" if placed.box.optional else shape
        yield from map(self._text, placed.texts)

    def _rect(self, area: Area) -> str:
        y = self.height - area.bottom
        return f"{number(area.x)} {number(y)} {number(area.width)} {number(area.height)} re"

    def _ellipse(self, area: Area) -> str:
        rx, ry = area.width / 2, area.height / 2
        x, y = area.x + rx, self.height - area.y - ry
        kx, ky = KAPPA * rx, KAPPA * ry
        curves = (
            (x + rx, y + ky, x + kx, y + ry, x, y + ry),
            (x - kx, y + ry, x - rx, y + ky, x - rx, y),
            (x - rx, y - ky, x - kx, y - ry, x, y - ry),
            (x + kx, y - ry, x + rx, y - ky, x + rx, y),
        )
        path = " ".join(" ".join(map(number, curve)) + " c" for curve in curves)
        return f"{number(x + rx)} {number(y)} m {path} h"

    def _arrow(self, placed: PlacedArrow) -> Iterator[str]:
        theme, failed = self.theme, placed.arrow.failed
        colour = _colour(theme.failed if failed else theme.line)
        line, head = arrow_shape(placed.points, theme.stroke(failed))
        yield f"{colour} RG {colour} rg {number(theme.stroke(failed))} w {self._path(line)} S"
        yield f"{self._path(head)} h f"
        yield from map(self._text, placed.texts)

    def _path(self, points: list[tuple[float, float]]) -> str:
        places = [f"{number(x)} {number(self.height - y)}" for x, y in points]
        return f"{places[0]} m " + " ".join(f"{place} l" for place in places[1:])

    def _text(self, text: Text) -> str:
        codes = (self.codes.setdefault(char, len(self.codes) + 1) for char in text.text)
        letters = "".join(f"{code:04X}" for code in codes)
        red = text.role in ("flow", "error")
        colour = _colour(self.theme.failed if red else self.theme.ink)
        place = f"{number(text.left)} {number(self.height - text.y)} Td"
        return f"{colour} rg BT /F {number(text.size)} Tf {place} <{letters}> Tj ET"


def _colour(code: str) -> str:
    """Return `#rrggbb` as three numbers from 0 to 1."""
    return " ".join(f"{int(code[i : i + 2], 16) / 255:.3f}" for i in (1, 3, 5))
