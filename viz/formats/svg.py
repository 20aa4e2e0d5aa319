"""Layout -> SVG text, written by hand: real text, a fallback font family, no scripts."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from viz.formats.strokes import arrow_shape, number
from viz.layout.placed import Layout, PlacedArrow, PlacedBox, PlacedFrame, Text
from viz.style.font import FALLBACKS, FAMILY
from viz.style.text import visible
from viz.style.theme import Theme


def write_svg(layout: Layout, theme: Theme, scale: float = 1.0) -> str:
    """Return the picture as an SVG document; `scale` 1 is points."""
    return "\n".join([*_document(layout, theme, scale), ""])


def _document(layout: Layout, theme: Theme, scale: float) -> Iterator[str]:
    width, height = number(layout.width), number(layout.height)
    families = ", ".join(f"'{f}'" if " " in f else f for f in (FAMILY, *FALLBACKS))
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{number(layout.width * scale)}pt" '
        f'height="{number(layout.height * scale)}pt" viewBox="0 0 {width} {height}" '
        f'role="img" font-family="{families}" font-size="{number(theme.font_pt)}" '
        f'fill="{theme.ink}">'
    )
    yield f"<title>{escape(visible(layout.diagram.title))}</title>"
    yield f"<desc>{escape(_description(layout))}</desc>"
    if theme.background:
        yield f'<rect width="{width}" height="{height}" fill="{theme.background}"/>'
    for frame in layout.frames:
        yield from _frame(frame, theme)
    for box in layout.boxes:
        yield from _box(box, theme)
    # Above the boxes, so that their heads are wholly visible.
    for arrow in layout.arrows:
        yield from _arrow(arrow, theme)
    for text in layout.texts:
        yield _text(text, theme)
    yield "</svg>"


def _description(layout: Layout) -> str:
    """Return what is to be seen, for readers who cannot see it."""
    labels = [visible(" ".join(placed.box.label.split())) for placed in layout.boxes]
    ends = f", from {labels[0]} at the bottom to {labels[-1]} at the top" if labels else ""
    words = f"{len(labels)} boxes and {len(layout.arrows)} arrows{ends}."
    return " ".join([words, *(f"Fault: {visible(note)}." for note in layout.diagram.notes)])


def _frame(frame: PlacedFrame, theme: Theme) -> Iterator[str]:
    area = frame.area
    yield f"<g id={_id(frame.group.id, 'frame')}>"
    yield (
        f'<rect x="{number(area.x)}" y="{number(area.y)}" width="{number(area.width)}" '
        f'height="{number(area.height)}" fill="{theme.frame_fill}" '
        f'stroke="{theme.frame}" stroke-width="{number(theme.line_width)}" stroke-dasharray="3 2"/>'
    )
    yield from (_text(text, theme) for text in frame.texts)
    yield "</g>"


def _box(placed: PlacedBox, theme: Theme) -> Iterator[str]:
    box, area = placed.box, placed.area
    fill = theme.failed_fill if box.failed else theme.fills[box.kind]
    edge = theme.failed if box.failed else (theme.circle if placed.round else theme.outline)
    style = f'fill="{fill}" stroke="{edge}" stroke-width="{number(theme.stroke(box.failed))}"'
    if box.optional:
        style += ' stroke-dasharray="4 3"'
    yield f"<g id={_id(box.id, 'box')}>"
    if placed.round:
        rx, ry = area.width / 2, area.height / 2
        yield (
            f'<ellipse cx="{number(area.x + rx)}" cy="{number(area.y + ry)}" '
            f'rx="{number(rx)}" ry="{number(ry)}" {style}/>'
        )
    else:
        yield (
            f'<rect x="{number(area.x)}" y="{number(area.y)}" width="{number(area.width)}" '
            f'height="{number(area.height)}" {style}/>'
        )
    yield from (_text(text, theme) for text in placed.texts)
    yield "</g>"


def _id(name: str, kind: str) -> str:
    return quoteattr(f"{kind}-{visible(name)}".replace(" ", "_"))


def _text(text: Text, theme: Theme) -> str:
    anchor = "" if text.anchor == "start" else f' text-anchor="{text.anchor}"'
    size = "" if text.size == theme.font_pt else f' font-size="{number(text.size)}"'
    fill = f' fill="{theme.failed}"' if text.role in ("flow", "error") else ""
    # In a viewer without the font, wider letters are squeezed instead of overflowing the box.
    length = f' textLength="{number(text.width)}" lengthAdjust="spacingAndGlyphs"'
    return (
        f'<text x="{number(text.x)}" y="{number(text.y)}"{anchor}{size}{fill}'
        f'{length if text.width else ""} xml:space="preserve">{escape(text.text)}</text>'
    )


def _arrow(placed: PlacedArrow, theme: Theme) -> Iterator[str]:
    colour = theme.failed if placed.arrow.failed else theme.line
    width = theme.stroke(placed.arrow.failed)
    line, head = arrow_shape(placed.points, width)
    path = "M" + " L".join(f"{number(x)} {number(y)}" for x, y in line)
    yield f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{number(width)}"/>'
    corners = " ".join(f"{number(x)},{number(y)}" for x, y in head)
    yield f'<polygon points="{corners}" fill="{colour}"/>'
    yield from (_text(text, theme) for text in placed.texts)
