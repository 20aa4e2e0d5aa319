"""Graph -> picture file: the one way in for the command, the notebook and the gallery."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TypeVar

from compiler.errors import UsageError, did_you_mean
from compiler.facts.labels import convention
from compiler.graph import Graph
from viz.diagram.arrange import arrange
from viz.diagram.box_builder import View
from viz.diagram.faults import NO_FAULTS, Faults
from viz.diagram.parts import Diagram
from viz.diagram.selection import drawn, view_of_block, view_of_figure
from viz.layout.fit import LEAST_TYPE_PT, fit, parse_length
from viz.layout.lay_out import lay_out
from viz.layout.placed import Layout
from viz.style.theme import THEMES, Theme

T = TypeVar("T")
Writer = Callable[[Layout, Theme, float], bytes | str]

WRITERS: Mapping[str, str] = {
    "svg": "viz.formats.svg:write_svg",
    "pdf": "viz.formats.pdf:write_pdf",
    "png": "viz.formats.png:write_png",
    "tikz": "viz.formats.tikz:write_tikz",
    "json": "viz.formats.json:write_json",
    "dot": "viz.formats.dot:write_dot",
}
"""Format -> the function that writes it, imported when it is used."""

EXTENSIONS: Mapping[str, str] = {
    ".svg": "svg",
    ".pdf": "pdf",
    ".png": "png",
    ".tex": "tikz",
    ".tikz": "tikz",
    ".json": "json",
    ".dot": "dot",
    ".gv": "dot",
    ".html": "html",
    ".htm": "html",
}
"""File extension -> format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a picture is to look."""

    block: str | None = None
    """A block by its name, or an instance of one by its path."""
    figure: int | None = None
    depth: int = 0
    show: Sequence[str] = ()
    theme: str = "paper"
    width: str | None = None
    """The width of the page it must fit, as `3.3in`."""
    least_type: float = LEAST_TYPE_PT
    fold: bool = True
    faults: Faults = NO_FAULTS


DEFAULTS = Options()


def render(graph: Graph, format: str = "svg", options: Options = DEFAULTS) -> bytes:
    """Return a picture of a network, or of a block of it, as the contents of a file.

    Args:
        graph: the network; a draft with unknown sizes is drawn as far as it goes.
        format: one of `WRITERS`.
        options: what to draw and how.

    Raises:
        UsageError: there is no such format, theme, block or figure, or it cannot be drawn so.
    """
    write = writer(format)
    theme = choose(THEMES, options.theme, "theme")
    layout, scale = lay_out(picture(graph, options), theme), 1.0
    if options.width is not None:
        layout, scale = fit(layout, parse_length(options.width), options.least_type)
    data = write(layout, theme, scale)
    return data.encode("utf-8") if isinstance(data, str) else data


def picture(graph: Graph, options: Options = DEFAULTS) -> Diagram:
    """Return the picture as data, before it is laid out."""
    view = View(depth=options.depth, show=tuple(options.show), fold=options.fold)
    if options.figure is not None:
        view = view_of_figure(graph, options.figure, view)
    elif options.block is not None:
        view = view_of_block(graph, options.block, view)
    return arrange(*drawn(graph, view), options.faults, convention(graph))


def writer(format: str) -> Writer:
    """Return the function that writes a format.

    Raises:
        UsageError: there is no such format.
    """
    module, _, name = choose(WRITERS, format, "format").partition(":")
    function: Writer = getattr(import_module(module), name)
    return function


def choose(table: Mapping[str, T], name: str, what: str) -> T:
    """Return an entry of a closed table.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in table:
        raise UsageError(
            f"unknown {what} `{name}`{did_you_mean(name, table)}; "
            f"it must be one of {', '.join(table)}"
        )
    return table[name]
