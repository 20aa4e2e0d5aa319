"""A network or a block that shows itself where a notebook displays the value of a cell."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from html import escape

from compiler.graph import Graph
from viz.render import Options, render


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure of a network, or of the block that it names.

    A notebook shows it as a picture by itself; nothing runs in the page and nothing is fetched.
    """

    graph: Graph
    block: str | None = None
    figure: int | None = None
    depth: int = 0

    def svg(self) -> str:
        """Return the picture as SVG."""
        options = Options(block=self.block, figure=self.figure, depth=self.depth)
        return render(self.graph, "svg", options).decode("utf-8")

    def _repr_svg_(self) -> str:
        return self.svg()

    def _repr_html_(self) -> str:
        """Return the picture as an image element: it cannot clash with the page around it."""
        data = b64encode(self.svg().encode("utf-8")).decode("ascii")
        return f'<img alt="{_title(self)}" src="data:image/svg+xml;base64,{data}">'


def _title(drawing: Drawing) -> str:
    name = drawing.graph.title if drawing.block is None else drawing.block
    return escape(name if drawing.figure is None else f"{name}, Figure {drawing.figure}")
