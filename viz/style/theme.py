"""Colours and measures: what a theme decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from viz.diagram.parts import Box, BoxKind, Mark

PAPER_FILLS: Mapping[BoxKind, str] = {
    "conv": "#cfe2f3",
    "pool": "#cfe2f3",
    "linear": "#cfe2f3",
    "softmax": "#cfe2f3",
    "add": "#cfe2f3",
    "concat": "#fce5cd",
    "activation": "#fce5cd",
    "norm": "#fce5cd",
    "scale": "#fce5cd",
    "input": "#fff2cc",
    "final_pool": "#fff2cc",
    "output": "#fff2cc",
    "inception": "#e6b8af",
    "reduction": "#d9ead3",
    "stem": "#ead1dc",
    "block": "#d9d2e9",
    "dropout": "#d9d9d9",
    "reshape": "#eeeeee",
}
"""Fills of the figures of arXiv 1602.07261; kinds that they lack take a neighbour of theirs."""

SLIDE_FILLS: Mapping[BoxKind, str] = {
    **PAPER_FILLS,
    "conv": "#9fc5e8",
    "pool": "#b6d7a8",
    "concat": "#f9cb9c",
    "inception": "#dd7e6b",
    "reduction": "#93c47d",
}

DARK_FILLS: Mapping[BoxKind, str] = {
    "conv": "#1f3b57",
    "pool": "#1f3b57",
    "linear": "#1f3b57",
    "softmax": "#1f3b57",
    "add": "#1f3b57",
    "concat": "#57401f",
    "activation": "#57401f",
    "norm": "#57401f",
    "scale": "#57401f",
    "input": "#575020",
    "final_pool": "#575020",
    "output": "#575020",
    "inception": "#5b2a22",
    "reduction": "#2a4a25",
    "stem": "#4c2a3c",
    "block": "#3a2f55",
    "dropout": "#404040",
    "reshape": "#333333",
}

SAFE_FILLS: Mapping[BoxKind, str] = {
    "conv": "#b5d9fb",
    "pool": "#dcecf9",
    "linear": "#b5d9fb",
    "softmax": "#b5d9fb",
    "add": "#ffffff",
    "concat": "#fbb954",
    "activation": "#fbb954",
    "norm": "#fbb954",
    "scale": "#fbb954",
    "input": "#fde0a0",
    "final_pool": "#fde0a0",
    "output": "#fde0a0",
    "inception": "#e88a58",
    "reduction": "#88ae8a",
    "stem": "#c391c0",
    "block": "#c8c8c8",
    "dropout": "#ffffff",
    "reshape": "#f0f0f0",
}
"""Tints that stay apart for readers without one of the three cones."""


PAPER_MARKS: Mapping[Mark, tuple[str, str]] = {
    "added": ("#38761d", "#d9ead3"),
    "removed": ("#cc0000", "#f4cccc"),
    "changed": ("#b45f06", "#ffe599"),
}
DARK_MARKS: Mapping[Mark, tuple[str, str]] = {
    "added": ("#7cd07c", "#1f4d1f"),
    "removed": ("#ff6b6b", "#5c1f1f"),
    "changed": ("#ffc04d", "#57430f"),
}
SAFE_MARKS: Mapping[Mark, tuple[str, str]] = {
    "added": ("#0072b2", "#cfe6fa"),
    "removed": ("#b04a00", "#fbe0cf"),
    "changed": ("#595959", "#fff3b0"),
}
"""Blue and orange stay apart for readers without one of the three cones."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours, type sizes and distances; lengths in points (1/72 inch) at scale 1."""

    name: str
    fills: Mapping[BoxKind, str] = field(default_factory=lambda: PAPER_FILLS)
    background: str | None = "#ffffff"
    outline: str = "#6d9eeb"
    circle: str = "#000000"
    ink: str = "#000000"
    line: str = "#000000"
    frame: str = "#999999"
    frame_fill: str = "#fafafa"
    failed: str = "#cc0000"
    failed_fill: str = "#f4cccc"
    marked: str = "#b45f06"
    """The edge of a box that differs from the same one in another picture."""
    marks: Mapping[Mark, tuple[str, str]] = field(default_factory=lambda: PAPER_MARKS)
    """What became of a box between two networks -> its edge and its fill."""
    cold: str = "#fffaf2"
    hot: str = "#f4845f"
    """Of a heat map: a box that costs nothing, and the one that costs most."""
    line_width: float = 0.8
    font_pt: float = 9.0
    note_pt: float = 7.5
    pad_x: float = 5.0
    """Between a box's border and its text."""
    pad_y: float = 4.5
    dark: Theme | None = None
    """What an SVG looks like on a page that is dark."""
    row_gap: float = 17.0
    column_gap: float = 11.0
    margin: float = 6.0

    @property
    def leading(self) -> float:
        """The distance between two lines of text."""
        return 1.22 * self.font_pt

    def fill(self, box: Box) -> str:
        """Return the colour of a box."""
        if box.failed:
            return self.failed_fill
        if box.mark:
            return self.marks[box.mark][1]
        return self.fills[box.kind] if box.heat is None else self.warmth(box.heat)

    def edge(self, box: Box, is_round: bool = False) -> str:
        """Return the colour of the edge of a box."""
        if box.failed or box.marked:
            return self.failed if box.failed else self.marked
        if box.mark:
            return self.marks[box.mark][0]
        return self.circle if is_round else self.outline

    def edge_width(self, box: Box) -> float:
        """Return how wide the edge of a box is: colour alone does not tell readers apart."""
        if box.failed or (box.mark and not box.marked):
            return self.stroke(True)
        return self.line_width * (3 if box.marked else 1)

    def warmth(self, heat: float) -> str:
        """Return the colour of a part of the largest value, from 0 to 1."""
        pairs = ((int(c[i : i + 2], 16) for c in (self.cold, self.hot)) for i in (1, 3, 5))
        return "#" + "".join(f"{round(a + heat * (b - a)):02x}" for a, b in pairs)

    def stroke(self, failed: bool) -> float:
        """Return the width of a line; what failed is thicker too, for print without colours."""
        return self.line_width * (2 if failed else 1)


DARK = Theme(
    "dark",
    fills=DARK_FILLS,
    background="#1e1e1e",
    outline="#7aa7e8",
    circle="#dddddd",
    ink="#f0f0f0",
    line="#d0d0d0",
    frame="#777777",
    frame_fill="#262626",
    failed="#ff6b6b",
    failed_fill="#5c1f1f",
    marked="#ffb454",
    marks=DARK_MARKS,
    cold="#262626",
    hot="#7a2e00",
)

THEMES: Mapping[str, Theme] = {
    theme.name: theme
    for theme in (
        Theme("paper"),
        Theme(
            "slide",
            fills=SLIDE_FILLS,
            background=None,
            outline="#3d6fb4",
            line="#333333",
            line_width=1.4,
            font_pt=14.0,
            note_pt=11.0,
            pad_x=11.0,
            pad_y=7.0,
            row_gap=24.0,
            column_gap=20.0,
            margin=12.0,
        ),
        DARK,
        Theme("auto", dark=DARK),
        Theme(
            "safe",
            fills=SAFE_FILLS,
            outline="#00406b",
            failed="#b04a00",
            failed_fill="#fbe0cf",
            marked="#5b2a86",
            marks=SAFE_MARKS,
            cold="#ffffff",
            hot="#56b4e9",
        ),
    )
}
"""Name -> theme; `safe` keeps its meaning for colour-blind readers, `auto` is `paper`, and in an
SVG on a dark page `dark`."""
