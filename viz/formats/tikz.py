"""Layout -> TikZ: a LaTeX document of its own, whose picture can be copied into another."""

from __future__ import annotations

from collections.abc import Iterator

from viz.formats.strokes import arrow_shape, number
from viz.layout.placed import Layout, PlacedArrow, PlacedBox, PlacedFrame, Text
from viz.style.theme import Theme

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "-": "-{}",
    "\u00d7": r"$\times$",
    "\u2192": r"$\rightarrow$",
    "\u2026": r"\ldots{}",
}
"""Characters that LaTeX would act on, join with their neighbours, or lack."""


def write_tikz(layout: Layout, theme: Theme, scale: float = 1.0) -> str:
    """Return the picture as LaTeX; Helvetica there has the widths it was laid out with."""
    return "\n".join([*_document(layout, theme, scale), ""])


def tex(text: str) -> str:
    r"""Return text for LaTeX; a character outside Latin-1 is written as its code point.

    >>> print(tex("50% & x_1"))
    50\% \& x\_1
    """
    return "".join(SPECIAL.get(char) or _letter(char) for char in text)


def _letter(char: str) -> str:
    return char if ord(char) < 0x100 else rf"\texttt{{U+{ord(char):04X}}}"


def _document(layout: Layout, theme: Theme, scale: float) -> Iterator[str]:
    yield r"\documentclass[tikz,border=0pt]{standalone}"
    yield r"\usepackage[T1]{fontenc}"
    yield r"\usepackage{textcomp}"
    yield r"\begin{document}"
    width = number(theme.line_width * scale)
    yield (
        rf"\begin{{tikzpicture}}[x={scale:.4f}bp,y=-{scale:.4f}bp,line width={width}bp,"
        r"every node/.style={inner sep=0pt,outer sep=0pt}]"
    )
    yield r"\fontfamily{phv}\selectfont"
    background = theme.background or "#ffffff"
    yield from _colours(theme, background)
    fill = "fill=ndbackground" if theme.background else "draw=none"
    yield rf"\path[{fill}] (0,0) rectangle {_at(layout.width, layout.height)};"
    for frame in layout.frames:
        yield from _frame(frame, scale)
    for box in layout.boxes:
        yield from _box(box, theme, scale)
    # Above the boxes, so that their heads are wholly visible.
    for arrow in layout.arrows:
        yield from _arrow(arrow, theme, scale)
    yield from (_text(text, scale) for text in layout.texts)
    yield r"\end{tikzpicture}"
    yield r"\end{document}"


def _colours(theme: Theme, background: str) -> Iterator[str]:
    named = {f"nd{kind.replace('_', '')}": fill for kind, fill in theme.fills.items()}
    named |= {
        "ndbackground": background,
        "ndoutline": theme.outline,
        "ndcircle": theme.circle,
        "ndink": theme.ink,
        "ndline": theme.line,
        "ndframe": theme.frame,
        "ndframefill": theme.frame_fill,
        "ndfailed": theme.failed,
        "ndfailedfill": theme.failed_fill,
    }
    for name, colour in named.items():
        yield rf"\definecolor{{{name}}}{{HTML}}{{{colour[1:].upper()}}}"


def _frame(frame: PlacedFrame, scale: float) -> Iterator[str]:
    area = frame.area
    yield (
        rf"\path[draw=ndframe,fill=ndframefill,dashed] {_at(area.x, area.y)} "
        rf"rectangle {_at(area.right, area.bottom)};"
    )
    yield from (_text(text, scale) for text in frame.texts)


def _box(placed: PlacedBox, theme: Theme, scale: float) -> Iterator[str]:
    area, failed = placed.area, placed.box.failed
    fill = "ndfailedfill" if failed else f"nd{placed.box.kind.replace('_', '')}"
    edge = "ndfailed" if failed else ("ndcircle" if placed.round else "ndoutline")
    if placed.round:
        radii = f"x radius={number(area.width / 2)},y radius={number(area.height / 2)}"
        shape = f"{_at(area.x + area.width / 2, area.y + area.height / 2)} ellipse [{radii}]"
    else:
        shape = f"{_at(area.x, area.y)} rectangle {_at(area.right, area.bottom)}"
    width = number(theme.stroke(failed) * scale)
    dashed = ",dashed" if placed.box.optional else ""
    yield rf"\path[draw={edge},fill={fill},line width={width}bp{dashed}] {shape};"
    yield from (_text(text, scale) for text in placed.texts)


def _text(text: Text, scale: float) -> str:
    anchor = {"start": "base west", "middle": "base", "end": "base east"}[text.anchor]
    colour = "ndfailed" if text.role in ("flow", "error") else "ndink"
    size = number(text.size * scale)
    leading = number(1.2 * text.size * scale)
    font = rf"\fontfamily{{phv}}\fontsize{{{size}bp}}{{{leading}bp}}\selectfont"
    options = f"anchor={anchor},text={colour},font={font}"
    words = tex(text.text)
    if "\\texttt" in words:  # code points are wider than the letters that they replace
        words = rf"\resizebox{{{number(text.width * scale)}bp}}{{\height}}{{{words}}}"
    return rf"\node[{options}] at {_at(text.x, text.y)} {{{words}}};"


def _at(x: float, y: float) -> str:
    return f"({number(x)},{number(y)})"


def _arrow(placed: PlacedArrow, theme: Theme, scale: float) -> Iterator[str]:
    failed = placed.arrow.failed
    colour = "ndfailed" if failed else "ndline"
    width = number(theme.stroke(failed) * scale)
    line, head = arrow_shape(placed.points, theme.stroke(failed))
    path = " -- ".join(_at(x, y) for x, y in line)
    yield rf"\draw[{colour},line width={width}bp] {path};"
    corners = " -- ".join(_at(x, y) for x, y in head)
    yield rf"\fill[{colour}] {corners} -- cycle;"
    yield from (_text(text, scale) for text in placed.texts)
