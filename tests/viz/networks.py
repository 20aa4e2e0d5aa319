"""Small networks written in a test, and layouts of them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from compiler.graph import Graph
from compiler.pipeline import draft_graph, load_graph
from viz.diagram.arrange import arrange
from viz.diagram.box_builder import View
from viz.diagram.faults import Faults, find_faults
from viz.layout.lay_out import lay_out
from viz.layout.placed import Layout

HEAD = """\
network: small
title: Small
input: {image: [8, 32, 32]}
defaults: {conv: {norm: batch_norm, activation: relu}}
"""


def network(text: str) -> Graph:
    """Return the network of a spec, or of its `layers:` alone behind `HEAD`."""
    with TemporaryDirectory() as folder:
        return load_graph(_file(folder, text))


def broken(text: str) -> tuple[Graph, Faults]:
    """Return the draft of a wrong spec and what is wrong with it."""
    with TemporaryDirectory() as folder:
        graph, report, _ = draft_graph(_file(folder, text))
    return graph, find_faults(graph, report.diagnostics)


def layout(text: str, view: View | None = None) -> Layout:
    """Return where everything in the picture of a small network stands."""
    return lay_out(arrange(network(text), view))


def labelled(label: str) -> str:
    """Return a network whose second box has this label, whatever is in it."""
    escaped = "".join(c if c.isascii() and c.isalnum() else f"\\U{ord(c):08x}" for c in label)
    return f'layers:\n  - {{conv: 1x1, filters: 8, label: "{escaped}"}}\n'


def _file(folder: str, text: str) -> Path:
    file = Path(folder) / "small.yaml"
    file.write_text(text if text.startswith("network:") else HEAD + text, encoding="utf-8")
    return file
