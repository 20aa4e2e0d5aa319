"""What is under a picture: the scale of a heat map, and sentences that belong to no box."""

from __future__ import annotations

from dataclasses import replace

from viz.diagram.parts import Legend
from viz.layout.placed import Area, Layout, Swatch, Text
from viz.style.font import font
from viz.style.text import lines_of, visible
from viz.style.theme import Theme

NOTE_WIDTH = 180.0
"""Lines under a picture may be this wide, in points, even where the picture is not."""
STEPS = 8
"""Pieces of the scale."""


def with_notes(layout: Layout, theme: Theme) -> Layout:
    """Return a picture with its diagram's legend and lines below it."""
    legend = layout.diagram.legend
    if legend is not None:
        layout = _with_legend(layout, legend, theme)
    size, width, height = theme.font_pt, layout.width, layout.height
    limit = max(width - 2 * theme.margin, NOTE_WIDTH)
    lines = [line for note in layout.diagram.notes for line in lines_of(note, size, limit, False)]
    notes: list[Text] = []
    for line in lines:
        baseline = layout.height + (len(notes) + 0.8) * theme.leading
        length = font().width(line, size)
        notes.append(Text(line, theme.margin, baseline, size, length, "start", "error"))
        # 0.3 of the type size is the depth of a descender.
        height = max(height, baseline + 0.3 * size + theme.margin)
        width = max(width, length + 2 * theme.margin)
    return replace(layout, width=width, height=height, texts=(*layout.texts, *notes))


def _with_legend(layout: Layout, legend: Legend, theme: Theme) -> Layout:
    """Return a picture with the scale of its heat map: from 0 to the largest value."""
    size, margin = theme.note_pt, theme.margin
    words = visible(f"{legend.largest} {legend.title}")
    x, top = margin + font().width("0", size) + 0.5 * size, layout.height
    baseline = top + size
    step = 1.6 * size
    swatches = tuple(
        Swatch(Area(x + i * step, baseline - 0.8 * size, step, size), i / (STEPS - 1))
        for i in range(STEPS)
    )
    end = x + STEPS * step + 0.5 * size
    texts = tuple(
        Text(text, at, baseline, size, font().width(text, size), "start", "note")
        for text, at in (("0", margin), (words, end))
    )
    return replace(
        layout,
        width=max(layout.width, end + texts[1].width + margin),
        height=baseline + 0.3 * size + margin,
        texts=texts,
        swatches=swatches,
    )
