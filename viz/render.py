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
from viz.diagram.fold import Fold
from viz.diagram.parts import Diagram
from viz.diagram.selection import drawn, view_of_block, view_of_figure
from viz.layout.fit import LEAST_TYPE_PT, fit, parse_length, scale_for
from viz.layout.lay_out import Direction, lay_out
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

STANDALONE = "viz.formats.tikz:write_standalone"

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
    heat: str | None = None
    """What the colours of the boxes say, of `viz.diagram.heat.HEATS`."""
    theme: str | Theme = "paper"
    """One of `THEMES` by name, or another one."""
    direction: Direction = "up"
    """Where data flows to."""
    columns: int | None = None
    """Into how many columns a long picture may be split; None: as the page wants it, if any."""
    width: str | None = None
    """The width of the page it must fit, as `3.3in`."""
    height: str | None = None
    """The height of the page it must fit."""
    least_type: float = LEAST_TYPE_PT
    fold: Fold = "equal"
    """Which copies of a repeat are one box, see `View`."""
    standalone: bool = False
    """TikZ as a document of its own."""
    faults: Faults = NO_FAULTS


DEFAULTS = Options()
MOST_COLUMNS = 8
"""More columns are made only on request."""


def render(graph: Graph, format: str = "svg", options: Options = DEFAULTS) -> bytes:
    """Return a picture of a network, or of a block of it, as the contents of a file.

    Args:
        graph: the network; a draft with unknown sizes is drawn as far as it goes.
        format: one of `WRITERS`.
        options: what to draw and how.

    Raises:
        UsageError: there is no such format, theme, block or figure, or it cannot be drawn so.
    """
    return draw(picture(graph, options), format, options)


def draw(diagram: Diagram, format: str = "svg", options: Options = DEFAULTS) -> bytes:
    """Return a picture that is data as the contents of a file; `options` say how, not what."""
    write = writer("standalone" if options.standalone else format)
    theme = options.theme
    if isinstance(theme, str):
        theme = choose(THEMES, theme, "theme")
    layout, scale = _on_page(diagram, theme, options)
    data = write(layout, theme, scale)
    return data.encode("utf-8") if isinstance(data, str) else data


def _on_page(diagram: Diagram, theme: Theme, options: Options) -> tuple[Layout, float]:
    """Return a picture on the page that it must fit, if there is one, and its scale."""
    width, height = (
        parse_length(side) if side else None for side in (options.width, options.height)
    )
    # A height alone is what a long picture does not have: so many columns that it is largest.
    counts = range(1, MOST_COLUMNS + 1) if height else [1]
    layouts = (
        lay_out(diagram, theme, options.direction, count)
        for count in ([options.columns] if options.columns else counts)
    )
    layout = max(layouts, key=lambda layout: scale_for(layout, width, height))
    return fit(layout, width, height, options.least_type)


def picture(graph: Graph, options: Options = DEFAULTS) -> Diagram:
    """Return the picture as data, before it is laid out."""
    return arrange(*drawn(graph, view_of(graph, options)), options.faults, convention(graph))


def view_of(graph: Graph, options: Options) -> View:
    """Return what of a graph is drawn.

    Raises:
        UsageError: there is no such block or figure.
    """
    view = View(depth=options.depth, show=tuple(options.show), heat=options.heat, fold=options.fold)
    if options.figure is not None:
        return view_of_figure(graph, options.figure, view)
    if options.block is not None:
        return view_of_block(graph, options.block, view)
    return view


def writer(format: str) -> Writer:
    """Return the function that writes a format.

    Raises:
        UsageError: there is no such format.
    """
    table = {**WRITERS, "standalone": STANDALONE} if format == "standalone" else WRITERS
    module, _, name = choose(table, format, "format").partition(":")
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
