"""Layout -> JSON: boxes with their words and sizes, and the arrows between them."""

from __future__ import annotations

import json

from compiler.errors import shown
from viz.layout.placed import Layout
from viz.style.theme import Theme


def write_json(layout: Layout, theme: Theme, scale: float = 1.0) -> str:
    """Return the picture as data; nodes from bottom to top, in a row from left to right.

    An edge is there once for each operand that it is.
    """
    order = {placed.box.id: i for i, placed in enumerate(layout.boxes)}
    nodes = [
        {"id": i, "label": placed.box.label, "size": placed.box.size}
        for i, placed in enumerate(layout.boxes)
    ]
    arrows = [placed.arrow for placed in layout.arrows]
    edges = sorted([order[a.tail], order[a.head]] for a in arrows for _ in range(a.times))
    data = {"nodes": nodes, "edges": edges}
    return shown(json.dumps(data, indent=1, ensure_ascii=False)) + "\n"
