"""A layout on a page of a given width: smaller, but never too small to read."""

from __future__ import annotations

import re
from dataclasses import replace

from compiler.errors import UsageError
from viz.layout.placed import Area, Layout, Text

POINTS = {"pt": 1.0, "in": 72.0, "cm": 72.0 / 2.54, "mm": 72.0 / 25.4, "px": 0.75}
"""Points (1/72 inch) per unit."""
LEAST_TYPE_PT = 5.0
"""Type smaller than this is refused: journals ask for 5 to 7 points at least in figures."""


def parse_length(text: str) -> float:
    """Return a length such as `3.3in` in points.

    Raises:
        UsageError: it is no positive number with a unit.
    """
    match = re.fullmatch(
        r"\s*([0-9]{1,6}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})\s*([a-z]+)\s*", text.lower()
    )
    unit = POINTS.get(match[2]) if match else None
    if match is None or unit is None or float(match[1]) <= 0:
        units = ", ".join(POINTS)
        raise UsageError(f"`{text}` is no width: write a number and a unit ({units}), as 3.3in")
    return float(match[1]) * unit


def fit(layout: Layout, width: float, least_type: float = LEAST_TYPE_PT) -> tuple[Layout, float]:
    """Return the layout centred on a page of `width` points, and the scale to draw it at.

    A picture is made smaller where it must be, never larger: type keeps its size.

    Raises:
        UsageError: the type would be smaller than `least_type` points.
    """
    scale = min(1.0, width / layout.width)
    smallest = min((text.size for text in texts(layout)), default=least_type)
    if scale < 1 and smallest * scale < least_type:
        needed = layout.width * least_type / smallest / 72
        raise UsageError(
            f"at {width / 72:.2f}in the smallest type would be {smallest * scale:.1f} pt, less "
            f"than {least_type:g} pt: this picture needs at least {_up(needed)}in; draw less of it "
            "(--block, --depth), or allow smaller type (--min-type)"
        )
    return (shifted(layout, (width - layout.width) / 2), 1.0) if scale == 1 else (layout, scale)


def _up(inches: float) -> str:
    return f"{-(-inches * 100 // 1) / 100:.2f}"


def texts(layout: Layout) -> list[Text]:
    """Return every line of text in a picture."""
    out = [text for frame in layout.frames for text in frame.texts]
    out += [text for box in layout.boxes for text in box.texts]
    out += [text for arrow in layout.arrows for text in arrow.texts]
    return [*out, *layout.texts]


def shifted(layout: Layout, dx: float) -> Layout:
    """Return a layout with `dx` more points of space at the left and at the right."""

    def area(old: Area) -> Area:
        return replace(old, x=old.x + dx)

    def moved(old: tuple[Text, ...]) -> tuple[Text, ...]:
        return tuple(replace(text, x=text.x + dx) for text in old)

    return replace(
        layout,
        width=layout.width + 2 * dx,
        frames=tuple(replace(f, area=area(f.area), texts=moved(f.texts)) for f in layout.frames),
        boxes=tuple(replace(b, area=area(b.area), texts=moved(b.texts)) for b in layout.boxes),
        arrows=tuple(
            replace(a, points=tuple((x + dx, y) for x, y in a.points), texts=moved(a.texts))
            for a in layout.arrows
        ),
        texts=moved(layout.texts),
    )
