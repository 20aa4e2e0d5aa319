"""Diagram -> DOT text for Graphviz, written by the package `graphviz`.

Names are ours (`n0`, `cluster_0`), so that a colon, a dash or a keyword in a path means
nothing; labels are plain strings, never records or HTML.
"""

from __future__ import annotations

from itertools import pairwise

from graphviz import Digraph, escape, nohtml

from viz.diagram.parts import Arrow, Box, Diagram, Group, Item, Parallel, Series
from viz.formats.strokes import number
from viz.layout.measure import LONGEST_LINE
from viz.layout.placed import Layout
from viz.style.font import FALLBACKS, FAMILY
from viz.style.text import lines_of
from viz.style.theme import Theme


def write_dot(layout: Layout, theme: Theme, scale: float = 1.0) -> str:
    """Return the picture as DOT; Graphviz finds the places anew."""
    text: str = _Writer(layout.diagram, theme).dot.source
    return text


class _Writer:
    def __init__(self, diagram: Diagram, theme: Theme) -> None:
        self.theme = theme
        self.names = {box.id: f"n{i}" for i, box in enumerate(diagram.boxes())}
        self.clusters = {id(group): f"cluster_{i}" for i, group in enumerate(diagram.groups())}
        face = {"fontname": ",".join((FAMILY, *FALLBACKS)), "fontsize": number(theme.font_pt)}
        self.dot = Digraph()
        self.dot.attr(
            "graph",
            rankdir="BT",
            ordering="in",
            bgcolor=theme.background or "transparent",
            fontcolor=theme.ink,
            **face,
        )
        node = {"shape": "box", "style": "filled", "height": "0.3", "margin": "0.1,0.05"}
        self.dot.attr("node", color=theme.outline, fontcolor=theme.ink, **node, **face)
        self.dot.attr("edge", color=theme.line, fontcolor=theme.failed, arrowsize="0.6", **face)
        self._series(self.dot, diagram.content)
        for arrow in diagram.arrows:
            self._arrow(arrow)
        legend = diagram.legend
        heat = (f"heat: 0 to {legend.largest} {legend.title}",) if legend else ()
        if diagram.notes or heat:
            self.dot.attr(label=self._label(*diagram.notes, *heat))

    def _series(self, dot: Digraph, series: Series) -> None:
        for item in series.items:
            self._item(dot, item)

    def _item(self, dot: Digraph, item: Item) -> None:
        if isinstance(item, Box):
            self._box(dot, item)
        elif isinstance(item, Group):
            size = (item.size,) if item.size else ()
            label = self._label(item.label, *item.notes, *size)
            with dot.subgraph(name=self.clusters[id(item)]) as cluster:
                # Data flows upwards, so `b` is the upper edge: one arrow leaves, no fan enters.
                place = {"labeljust": "l", "labelloc": "b"}
                cluster.attr(label=label, color=self.theme.frame, style="dashed", **place)
                self._series(cluster, item.content)
        else:
            for column in item.columns:
                self._series(dot, column)
            self._keep_order(dot, item)

    def _keep_order(self, dot: Digraph, item: Parallel) -> None:
        """Keep branches in the spec's order: invisible edges along the row of their first boxes."""
        firsts = [column.items[0] for column in item.columns if column.items]
        names = [self.names[first.id] for first in firsts if isinstance(first, Box)]
        if len(names) > 1:
            with dot.subgraph() as row:
                row.attr(rank="same")
                for a, b in pairwise(names):
                    row.edge(a, b, style="invis")

    def _box(self, dot: Digraph, box: Box) -> None:
        theme = self.theme
        style = {"fillcolor": theme.fill(box)}
        if box.kind == "add":
            style |= {"shape": "ellipse", "color": theme.circle}
        if box.size:
            style["xlabel"] = self._label(box.size)
        if box.marked:
            style |= {"color": theme.marked, "penwidth": "3"}
        if box.optional:
            style["style"] = "filled,dashed"
        dot.node(
            self.names[box.id], self._label(box.label, *box.notes), **style, **self._failed(box)
        )

    def _arrow(self, arrow: Arrow) -> None:
        label = self._label(arrow.words) if arrow.words else None
        ends = self.names[arrow.tail], self.names[arrow.head]
        ink = {} if arrow.label or not label else {"fontcolor": self.theme.ink}
        self.dot.edge(*ends, label, **ink, **self._failed(arrow))

    def _failed(self, part: Box | Arrow) -> dict[str, str]:
        return {"color": self.theme.failed, "penwidth": "2"} if part.failed else {}

    def _label(self, *texts: str) -> str:
        r"""Return texts as a label that is shown as they are, broken into lines.

        In a label Graphviz reads `\N`, `\n` and the like as commands, and `&lt;` as a character,
        which the package leaves to its callers.
        """
        size = self.theme.font_pt
        lines = lines_of("\n".join(texts), size, LONGEST_LINE * size, False)
        label: str = nohtml("\\n".join(escape(line.replace("&", "&amp;")) for line in lines))
        return label
