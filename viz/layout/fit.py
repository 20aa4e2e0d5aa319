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
        raise UsageError(f"`{text}` is no length: write a number and a unit ({units}), as 3.3in")
    return float(match[1]) * unit


def fit(
    layout: Layout,
    width: float | None,
    height: float | None = None,
    least_type: float = LEAST_TYPE_PT,
) -> tuple[Layout, float]:
    """Return the layout on a page of so many points, centred, and the scale to draw it at.

    A picture is made smaller where it must be, never larger: type keeps its size.

    Raises:
        UsageError: the type would be smaller than `least_type` points.
    """
    scale = scale_for(layout, width, height)
    smallest = min((text.size for text in texts(layout)), default=least_type)
    if scale < 1 and smallest * scale < least_type:
        needed, sides = least_type / smallest / 72, []
        sides += [f"{_up(layout.width * needed)}in"] if width else []
        sides += [f"{_up(layout.height * needed)}in of height"] if height else []
        page = " x ".join(f"{side / 72:.2f}in" for side in (width, height) if side)
        raise UsageError(
            f"at {page} the smallest type would be {smallest * scale:.1f} pt, less than "
            f"{least_type:g} pt: this picture needs at least {' and '.join(sides)}; draw less of "
            "it (--block, --depth), in columns (--columns), or allow smaller type (--min-type)"
        )
    if scale < 1 or width is None:
        return layout, scale
    return shifted(layout, (width - layout.width) / 2), 1.0


def scale_for(layout: Layout, width: float | None, height: float | None) -> float:
    """Return how large a picture can be on a page, at most as large as it is."""
    sides = ((width, layout.width), (height, layout.height))
    return min([1.0, *(page / own for page, own in sides if page)])


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
        swatches=tuple(replace(s, area=area(s.area)) for s in layout.swatches),
    )
