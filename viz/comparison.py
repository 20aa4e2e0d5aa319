"""Two networks with marks -> a picture of what changed: both side by side, or the second one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from html import escape

from compiler.errors import shown
from compiler.graph import Graph
from viz.diagram.parts import Box, Mark, map_boxes
from viz.render import Options, picture
from viz.render import draw as render_diagram

FORMATS = ("html", "svg", "pdf", "png")
Marks = Mapping[str, Mark]
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 14px/1.4 sans-serif; margin: 1.5em; color: #111; background: #fff; }}
main {{ display: flex; gap: 2em; align-items: flex-end; overflow-x: auto; }}
figure {{ margin: 0; }}
figcaption {{ font-weight: bold; padding: .5em 0; }}
b.added {{ background: #d9ead3; }} b.removed {{ background: #f4cccc; }}
b.changed {{ background: #ffe599; }}
pre {{ background: #f6f6f6; padding: 1em; overflow-x: auto; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p><b class="removed">removed</b> <b class="added">added</b> <b class="changed">changed</b></p>
<main>
<figure><figcaption>before: {before}</figcaption>{first}</figure>
<figure><figcaption>after: {after}</figcaption>{second}</figure>
</main>
<pre>{text}</pre>
</body>
</html>
"""


def draw(
    graphs: tuple[Graph, Graph],
    marks: tuple[Marks, Marks],
    text: str,
    format: str,
    depth: int = 1,
) -> bytes:
    """Return a picture of what changed, as the contents of a file.

    Args:
        graphs: the networks, before and after.
        marks: what became of their nodes.
        text: the changes in words; its first line is the title.
        format: one of `FORMATS`; all but `html` show the second network alone.
        depth: how many levels of blocks are opened.
    """
    if format != "html":
        return render_marked(graphs[1], marks[1], format, depth)
    first, second = (
        render_marked(graph, each, "svg", depth).decode("utf-8")
        for graph, each in zip(graphs, marks, strict=True)
    )
    title, _, rest = shown(text).partition("\n")
    before, _, after = title.partition(" -> ")
    page = PAGE.format(
        title=escape(title), before=escape(before), after=escape(after),
        first=_inline(first, "a"), second=_inline(second, "b"), text=escape(rest.strip()),
    )  # fmt: skip
    return page.encode("utf-8")


def render_marked(
    graph: Graph, marks: Marks, format: str, depth: int = 1, theme: str = "paper"
) -> bytes:
    """Return a picture of a network whose boxes show what became of them."""
    options = Options(depth=depth, theme=theme)
    diagram = picture(graph, options)
    content = map_boxes(diagram.content, lambda box: replace(box, mark=_mark(box, marks)))
    return render_diagram(replace(diagram, content=content), format, options)


def _mark(box: Box, marks: Marks) -> Mark | None:
    """Return what became of all that a box stands for, `changed` where that differs."""
    found = {marks.get(name) for name in box.members}
    return next(iter(found)) if len(found) == 1 else "changed" if found else None


def _inline(svg: str, prefix: str) -> str:
    """Return an SVG for a page, its ids apart from those of the other one."""
    body = svg[svg.index("<svg") :]
    return body.replace(' id="', f' id="{prefix}-').replace("url(#", f"url(#{prefix}-")
