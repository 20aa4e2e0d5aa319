"""Diagram -> DOT text for Graphviz, with nothing in it that Graphviz would act on.

Names are ours (`n0`, `cluster_0`), so that a colon, a dash or a keyword in a path means
nothing; labels are plain strings, never records or HTML.
"""

from __future__ import annotations

from collections.abc import Iterator

from viz.diagram.parts import Arrow, Box, Diagram, Group, Item, Series
from viz.formats.strokes import number
from viz.layout.measure import LONGEST_LINE
from viz.layout.placed import Layout
from viz.style.font import FALLBACKS, FAMILY
from viz.style.text import lines_of
from viz.style.theme import Theme


def write_dot(layout: Layout, theme: Theme, scale: float = 1.0) -> str:
    """Return the picture as DOT; Graphviz finds the places anew."""
    return dot_text(layout.diagram, theme)


def quote(lines: tuple[str, ...]) -> str:
    r"""Return lines as one quoted DOT string that is shown as they are.

    In a label Graphviz reads `\N`, `\n` and the like as commands and `&lt;` as a character.

    >>> quote(('a "b" \\N & c', "<d>"))
    '"a \\"b\\" \\\\N &amp; c\\n<d>"'
    """
    escaped = (
        line.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;") for line in lines
    )
    return '"' + "\\n".join(escaped) + '"'


def dot_text(diagram: Diagram, theme: Theme) -> str:
    """Return a diagram as a DOT graph."""
    return "\n".join([*_Writer(diagram, theme).lines(), ""])


class _Writer:
    def __init__(self, diagram: Diagram, theme: Theme) -> None:
        self.diagram = diagram
        self.theme = theme
        self.names = {box.id: f"n{i}" for i, box in enumerate(diagram.boxes())}
        self.clusters = {id(group): i for i, group in enumerate(diagram.groups())}

    def lines(self) -> Iterator[str]:
        theme = self.theme
        family = ",".join((FAMILY, *FALLBACKS))
        face = f'fontname="{family}", fontsize={number(theme.font_pt)}'
        yield "digraph {"
        yield (
            f"  graph [rankdir=BT, ordering=in, bgcolor={_colour(theme.background)}, "
            f'{face}, fontcolor="{theme.ink}"]'
        )
        yield (
            f'  node [shape=box, style=filled, color="{theme.outline}", fontcolor="{theme.ink}", '
            f'{face}, height=0.3, margin="0.1,0.05"]'
        )
        yield f'  edge [color="{theme.line}", fontcolor="{theme.failed}", {face}, arrowsize=0.6]'
        yield from self._series(self.diagram.content, "  ")
        yield from map(self._arrow, self.diagram.arrows)
        if self.diagram.notes:
            yield f"  label={self._quoted(chr(10).join(self.diagram.notes))}"
        yield "}"

    def _series(self, series: Series, indent: str) -> Iterator[str]:
        for item in series.items:
            yield from self._item(item, indent)

    def _item(self, item: Item, indent: str) -> Iterator[str]:
        if isinstance(item, Box):
            yield f"{indent}{self._box(item)}"
        elif isinstance(item, Group):
            yield f"{indent}subgraph cluster_{self.clusters[id(item)]} {{"
            size = (item.size,) if item.size else ()
            label = self._quoted("\n".join((item.label, *item.notes, *size)))
            yield f'{indent}  label={label}; color="{self.theme.frame}"; style=dashed'
            yield from self._series(item.content, indent + "  ")
            yield f"{indent}}}"
        else:
            for column in item.columns:
                yield from self._series(column, indent)

    def _box(self, box: Box) -> str:
        text = "\n".join([box.label, *box.notes])
        fill = self.theme.failed_fill if box.failed else self.theme.fills[box.kind]
        parts = [f"label={self._quoted(text)}", f'fillcolor="{fill}"']
        if box.kind == "add":
            parts += ["shape=ellipse", f'color="{self.theme.circle}"']
        if box.size:
            parts.append(f"xlabel={self._quoted(box.size)}")
        if box.optional:
            parts.append('style="filled,dashed"')
        if box.failed:
            parts.append(f'color="{self.theme.failed}", penwidth=2')
        return f"{self.names[box.id]} [{', '.join(parts)}]"

    def _quoted(self, text: str) -> str:
        size = self.theme.font_pt
        return quote(lines_of(text, size, LONGEST_LINE * size, False))

    def _arrow(self, arrow: Arrow) -> str:
        parts = []
        if arrow.label:
            parts.append(f"label={self._quoted(arrow.label)}")
        if arrow.failed:
            parts.append(f'color="{self.theme.failed}", penwidth=2')
        style = f" [{', '.join(parts)}]" if parts else ""
        return f"  {self.names[arrow.tail]} -> {self.names[arrow.head]}{style}"


def _colour(colour: str | None) -> str:
    return f'"{colour}"' if colour else "transparent"
