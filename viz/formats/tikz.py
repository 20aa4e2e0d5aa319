r"""Layout -> TikZ: a picture that another document takes with `\input`.

It needs the package tikz alone. Boxes are named nodes, so that a document can point at them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from viz.formats.strokes import arrow_shape, number
from viz.layout.placed import Layout, PlacedArrow, PlacedBox, PlacedFrame, Text
from viz.style.font import font
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
    '"': r"\symbol{34}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "-": "-{}",
    "\u00d7": r"$\times$",
    "\u2192": r"$\rightarrow$",
    "\u2026": r"\ldots{}",
}
"""Characters that LaTeX would act on, join with their neighbours, or lack."""
HEAD = r"""% Made by netdraft. In your document: \usepackage{tikz}, and where it is to be:
%   \input{FILE}   or   \resizebox{\columnwidth}{!}{\input{FILE}}
% Boxes are nodes, named in the comments behind them; with `remember picture` set for every
% picture, another one can point at them.
"""
PREAMBLE = r"""\documentclass[border=0pt]{standalone}
\usepackage{tikz}
\begin{document}
"""


def write_tikz(layout: Layout, theme: Theme, scale: float = 1.0) -> str:
    r"""Return the picture as one `tikzpicture`, in the sans-serif family of its document."""
    return HEAD + "\n".join([*_Picture(layout, theme, scale).lines(), ""])


def write_standalone(layout: Layout, theme: Theme, scale: float = 1.0) -> str:
    """Return a document of its own that is the picture."""
    return PREAMBLE + write_tikz(layout, theme, scale) + "\\end{document}\n"


def tex(text: str) -> str:
    r"""Return text for LaTeX; a character outside Latin-1 is written as its code point.

    >>> print(tex("50% & x_1"))
    50\% \& x\_1
    """
    return "".join(SPECIAL.get(char) or _letter(char) for char in text)


def _letter(char: str) -> str:
    return char if ord(char) < 0x100 else rf"\texttt{{U+{ord(char):04X}}}"


def node_names(layout: Layout) -> Mapping[str, str]:
    """Return box -> the name of its node: letters, digits and dashes, each once.

    >>> re.sub(r"[^A-Za-z0-9]+", "-", "a.0.conv_1x1").strip("-")
    'a-0-conv-1x1'
    """
    out: dict[str, str] = {}
    taken: set[str] = set()
    for placed in layout.boxes:
        plain = re.sub(r"[^A-Za-z0-9]+", "-", placed.box.id).strip("-") or "box"
        name, turn = plain, 2
        while name in taken:
            name, turn = f"{plain}-{turn}", turn + 1
        taken.add(name)
        out[placed.box.id] = name
    return out


class _Picture:
    """Writes one `tikzpicture`; y grows downwards in it, as in the layout."""

    def __init__(self, layout: Layout, theme: Theme, scale: float) -> None:
        self.layout = layout
        self.theme = theme
        self.scale = scale
        self.names = node_names(layout)

    def lines(self) -> Iterator[str]:
        layout, theme = self.layout, self.theme
        width = number(theme.line_width * self.scale)
        yield (
            rf"\begin{{tikzpicture}}[x={self.scale:.4f}bp,y=-{self.scale:.4f}bp,"
            rf"line width={width}bp,every node/.style={{inner sep=0pt,outer sep=0pt}}]"
        )
        yield from self._colours()
        fill = "fill=ndbackground" if theme.background else "draw=none"
        yield rf"\path[{fill}] (0,0) rectangle {_at(layout.width, layout.height)};"
        for frame in layout.frames:
            yield from self._frame(frame)
        for box in layout.boxes:
            yield from self._box(box)
        # Above the boxes, so that their heads are wholly visible.
        for arrow in layout.arrows:
            yield from self._arrow(arrow)
        for swatch in layout.swatches:
            area = swatch.area
            places = f"{_at(area.x, area.y)} rectangle {_at(area.right, area.bottom)}"
            yield rf"\path[fill={_rgb(theme.warmth(swatch.heat))}] {places};"
        yield from map(self._text, layout.texts)
        yield r"\end{tikzpicture}%"

    def _colours(self) -> Iterator[str]:
        theme = self.theme
        named = {f"nd{kind.replace('_', '')}": fill for kind, fill in theme.fills.items()}
        named |= {
            "ndbackground": theme.background or "#ffffff",
            "ndoutline": theme.outline,
            "ndcircle": theme.circle,
            "ndink": theme.ink,
            "ndline": theme.line,
            "ndframe": theme.frame,
            "ndframefill": theme.frame_fill,
            "ndmarked": theme.marked,
            "ndfailed": theme.failed,
            "ndfailedfill": theme.failed_fill,
        }
        for name, colour in named.items():
            yield rf"\definecolor{{{name}}}{{HTML}}{{{colour[1:].upper()}}}"

    def _frame(self, frame: PlacedFrame) -> Iterator[str]:
        area = frame.area
        yield (
            rf"\path[draw=ndframe,fill=ndframefill,dashed] {_at(area.x, area.y)} "
            rf"rectangle {_at(area.right, area.bottom)};"
        )
        yield from map(self._text, frame.texts)

    def _box(self, placed: PlacedBox) -> Iterator[str]:
        box, area, failed = placed.box, placed.area, placed.box.failed
        if failed:
            fill = "ndfailedfill"
        elif box.heat is not None:
            fill = _rgb(self.theme.fill(box))
        else:
            fill = f"nd{box.kind.replace('_', '')}"
        edge = "ndmarked" if box.marked else ("ndcircle" if placed.round else "ndoutline")
        edge = "ndfailed" if failed else edge
        width = number(self.theme.edge_width(box) * self.scale)
        size = (
            f"minimum width={number(area.width * self.scale)}bp,"
            f"minimum height={number(area.height * self.scale)}bp"
        )
        shape = "circle," if placed.round else ""
        dashed = ",dashed" if box.optional else ""
        middle = _at(area.x + area.width / 2, area.y + area.height / 2)
        name = self.names[box.id]
        yield (
            rf"\node[{shape}draw={edge},fill={fill},line width={width}bp,{size}{dashed}] "
            rf"({name}) at {middle} {{}};"
        )
        yield from map(self._text, placed.texts)

    def _text(self, text: Text) -> str:
        anchor = {"start": "base west", "middle": "base", "end": "base east"}[text.anchor]
        colour = "ndfailed" if text.role in ("flow", "error") else "ndink"
        size = number(text.size * self.scale)
        leading = number(1.2 * text.size * self.scale)
        face = rf"\sffamily\fontsize{{{size}bp}}{{{leading}bp}}\selectfont"
        options = f"anchor={anchor},text={colour},font={face}"
        words = tex(text.text)
        if "\\texttt" in words:  # code points are wider than the letters that they replace
            wide = font().width(text.text, text.size) * self.scale
            words = rf"\resizebox{{{number(wide)}bp}}{{\height}}{{{words}}}"
        return rf"\node[{options}] at {_at(text.x, text.y)} {{{words}}};"

    def _arrow(self, placed: PlacedArrow) -> Iterator[str]:
        failed = placed.arrow.failed
        colour = "ndfailed" if failed else "ndline"
        width = number(self.theme.stroke(failed) * self.scale)
        line, head = arrow_shape(placed.points, self.theme.stroke(failed))
        path = " -- ".join(_at(x, y) for x, y in line)
        yield rf"\draw[{colour},line width={width}bp] {path};"
        corners = " -- ".join(_at(x, y) for x, y in head)
        yield rf"\fill[{colour}] {corners} -- cycle;"
        yield from map(self._text, placed.texts)


def _at(x: float, y: float) -> str:
    return f"({number(x)},{number(y)})"


def _rgb(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"{{rgb,255:red,{red};green,{green};blue,{blue}}}"
