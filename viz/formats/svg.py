"""Layout -> SVG text, written by hand: real text, a fallback font family, no scripts."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape  # that of `xml.sax.saxutils` loads HTTP and TLS

from viz.formats.strokes import arrow_shape, describe, number
from viz.layout.placed import Area, Layout, PlacedArrow, PlacedBox, PlacedFrame, Text
from viz.style.font import FALLBACKS, FAMILY
from viz.style.text import visible
from viz.style.theme import Theme

CLASS = "netdraft"


def write_svg(layout: Layout, theme: Theme, scale: float = 1.0) -> str:
    """Return the picture as an SVG document; `scale` 1 is points."""
    return "\n".join([*_document(layout, theme, scale), ""])


def _document(layout: Layout, theme: Theme, scale: float) -> Iterator[str]:
    width, height = number(layout.width), number(layout.height)
    families = ", ".join(f"'{f}'" if " " in f else f for f in (FAMILY, *FALLBACKS))
    own = f' class="{CLASS}"' if theme.dark else ""
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{number(layout.width * scale)}pt" '
        f'height="{number(layout.height * scale)}pt" viewBox="0 0 {width} {height}" '
        f'role="img" font-family="{families}" font-size="{number(theme.font_pt)}" '
        f'fill="{theme.ink}"{own}>'
    )
    yield f"<title>{escape(visible(layout.diagram.title), quote=False)}</title>"
    yield f"<desc>{escape(describe(layout), quote=False)}</desc>"
    if theme.dark:
        yield from _style(layout, theme, theme.dark)
    if theme.background:
        yield f'<rect width="{width}" height="{height}" fill="{theme.background}"/>'
    for frame in layout.frames:
        yield from _frame(frame, theme)
    for box in layout.boxes:
        yield from _box(box, theme)
    # Above the boxes, so that their heads are wholly visible.
    for arrow in layout.arrows:
        yield from _arrow(arrow, theme)
    for swatch in layout.swatches:
        yield f'<rect {_place(swatch.area)} fill="{theme.warmth(swatch.heat)}"/>'
    for text in layout.texts:
        yield _text(text, theme)
    yield "</svg>"


def _style(layout: Layout, light: Theme, dark: Theme) -> Iterator[str]:
    """Yield rules that take the place of the colours on a dark page; other viewers ignore them."""
    fills = {light.fills[kind]: dark.fills[kind] for kind in light.fills}
    fills |= {light.frame_fill: dark.frame_fill, light.failed_fill: dark.failed_fill}
    heats = [box.box.heat for box in layout.boxes] + [swatch.heat for swatch in layout.swatches]
    fills |= {light.warmth(h): dark.warmth(h) for h in heats if h is not None}
    if light.background and dark.background:
        fills[light.background] = dark.background
    edges = ("outline", "circle", "frame", "failed", "marked")
    strokes = {getattr(light, name): getattr(dark, name) for name in edges}
    lines = {light.line: dark.line, light.failed: dark.failed}
    rules = [("", "fill", {light.ink: dark.ink}), ("text", "fill", {light.failed: dark.failed})]
    rules += [(shape, "fill", fills) for shape in ("rect", "ellipse")]
    rules += [(shape, "stroke", strokes) for shape in ("rect", "ellipse")]
    rules += [("path", "stroke", lines), ("polygon", "fill", lines)]
    yield "<style>@media (prefers-color-scheme: dark) {"
    for shape, what, colours in rules:
        for before, after in colours.items():
            selector = f'.{CLASS} {shape}[{what}="{before}"]' if shape else f".{CLASS}"
            yield f"{selector} {{ {what}: {after}; }}"
    yield "}</style>"


def _frame(frame: PlacedFrame, theme: Theme) -> Iterator[str]:
    area = frame.area
    yield f"<g id={_id(frame.group.id, 'frame')}>"
    yield (
        f'<rect {_place(area)} fill="{theme.frame_fill}" '
        f'stroke="{theme.frame}" stroke-width="{number(theme.line_width)}" stroke-dasharray="3 2"/>'
    )
    yield from (_text(text, theme) for text in frame.texts)
    yield "</g>"


def _box(placed: PlacedBox, theme: Theme) -> Iterator[str]:
    box, area = placed.box, placed.area
    fill = theme.fill(box)
    edge, width = theme.edge(box, placed.round), number(theme.edge_width(box))
    style = f'fill="{fill}" stroke="{edge}" stroke-width="{width}"'
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
        yield f"<rect {_place(area)} {style}/>"
    yield from (_text(text, theme) for text in placed.texts)
    yield "</g>"


def _place(area: Area) -> str:
    """Return a rectangle's attributes."""
    names = ("x", "y", "width", "height")
    return " ".join(f'{name}="{number(getattr(area, name))}"' for name in names)


def _id(name: str, kind: str) -> str:
    words = f"{kind}-{visible(name)}".replace(" ", "_")
    return f'"{escape(words)}"'


def _text(text: Text, theme: Theme) -> str:
    anchor = "" if text.anchor == "start" else f' text-anchor="{text.anchor}"'
    size = "" if text.size == theme.font_pt else f' font-size="{number(text.size)}"'
    fill = f' fill="{theme.failed}"' if text.role in ("flow", "error") else ""
    words = escape(text.text, quote=False)
    # In a viewer without the font, wider letters are squeezed instead of overflowing the box.
    length = f' textLength="{number(text.width)}" lengthAdjust="spacingAndGlyphs"'
    return (
        f'<text x="{number(text.x)}" y="{number(text.y)}"{anchor}{size}{fill}'
        f'{length if text.width else ""} xml:space="preserve">{words}</text>'
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
