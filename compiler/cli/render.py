"""`render`: a figure of a network, of a block, or figure N of the paper."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import replace
from pathlib import Path

from compiler.cli.options import add_spec, compilation_from, file_path, listed, whole
from compiler.cli.theme_file import read_theme
from compiler.errors import UsageError
from compiler.errors.diagnose import print_diagnostics
from compiler.errors.terminal import is_terminal, write, write_bytes
from compiler.files import write_file
from viz.diagram.annotate import ANNOTATIONS
from viz.diagram.faults import concerning, find_faults
from viz.diagram.heat import HEATS
from viz.formats.dot_program import MAGIC, DotError, find_dot, run_dot
from viz.formats.words import missing_letters
from viz.html import render_html
from viz.layout.fit import LEAST_TYPE_PT, parse_length
from viz.layout.lay_out import DIRECTIONS
from viz.render import EXTENSIONS, WRITERS, Options, choose, picture, render, view_of
from viz.style.theme import THEMES

HELP = """Draw a network, one of its blocks, or a figure of the paper. The overview shows blocks
closed; --depth opens them. A spec with errors is drawn as far as it was understood, with the
edges that fail in red (exit code 1 where they are in what is drawn). Nothing but the file asked
for is written."""

FORMATS = (*WRITERS, "html")
BINARY = ("pdf", "png")
EVERYTHING = 1000
"""A depth that opens every block: specs cannot nest them deeper."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--block",
        metavar="NAME",
        help="a block: an instance by its path (a.0) with its values, or a definition by its name",
    )
    what.add_argument(
        "--figure",
        type=whole(0),
        metavar="N",
        help="what is cited as figure N, its parameters by name",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=file_path,
        help="the file to write (default: standard output)",
    )
    parser.add_argument(
        "--format",
        metavar="FORMAT",
        help=f"{', '.join(FORMATS)} (default: by the file's extension, svg)",
    )
    parser.add_argument(
        "--engine",
        choices=("netdraft", "dot"),
        default="netdraft",
        help="who lays out: netdraft itself (the default), or Graphviz's program `dot`",
    )
    parser.add_argument(
        "--depth", default="0", metavar="N", help="levels of blocks to open, or `all`"
    )
    parser.add_argument(
        "--show",
        type=listed,
        default=(),
        metavar="WHAT,...",
        help="numbers in the boxes: shapes, params, macs, rf; and `hidden`: boxes for norms, "
        "activations, scalings and classifiers that figures leave out",
    )
    parser.add_argument(
        "--heat",
        metavar="WHAT",
        help=f"colours by what a box costs, with a legend: {', '.join(HEATS)}",
    )
    parser.add_argument(
        "--theme",
        default="paper",
        metavar="NAME",
        help=f"{', '.join(THEMES)} (default: paper), or a YAML file of colours and measures",
    )
    parser.add_argument(
        "--width", metavar="LENGTH", help="the width of the page it must fit, as 3.3in or 84mm"
    )
    parser.add_argument("--height", metavar="LENGTH", help="the height of the page it must fit")
    parser.add_argument(
        "--columns",
        type=whole(1),
        metavar="N",
        help="split a long picture into at most N columns (default: 1; with --height, what fits)",
    )
    parser.add_argument(
        "--direction",
        default="up",
        metavar="WAY",
        help=f"where data flows to: {' or '.join(DIRECTIONS)} (default: up, as in the paper)",
    )
    parser.add_argument(
        "--min-type",
        type=_points,
        default=LEAST_TYPE_PT,
        metavar="PT",
        help=f"with --width or --height: the smallest type allowed (default: {LEAST_TYPE_PT:g})",
    )
    parser.add_argument(
        "--standalone",
        action="store_true",
        help="TikZ as a LaTeX document of its own, not as a picture for \\input",
    )
    copies = parser.add_mutually_exclusive_group()
    copies.add_argument("--unfold", action="store_true", help="draw every copy of a repeat")
    copies.add_argument(
        "--fold-loops",
        action="store_true",
        help="draw copies that differ as one box, with the values in which their blocks do",
    )


def _points(text: str) -> float:
    """Read a size of type, for `type=`."""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?", text):
        raise argparse.ArgumentTypeError(f"`{text}` is no size in points, as {LEAST_TYPE_PT:g}")
    return float(text)


def run(args: argparse.Namespace) -> int:
    """Draw, and return 1 if the spec has errors."""
    format = chosen_format(args.output, args.format)
    if format in BINARY and args.output is None and is_terminal(sys.stdout):
        raise UsageError(
            f"a {format} is no text for a terminal: say where to write it with -o FILE"
        )
    options = options_from(args)
    if format == "html":
        _check_page(args)
    if args.standalone and format != "tikz":
        raise UsageError(f"--standalone makes a document of tikz, and this is {format}")
    if args.engine == "dot":
        _check_dot(format)
    compilation = compilation_from(args)
    graph, diagnostics = compilation.draft, compilation.report.diagnostics
    faults = find_faults(graph, diagnostics)
    if format != "html":
        scope = view_of(graph, options).scope
        diagnostics = list(concerning(graph, scope, diagnostics))
    print_diagnostics(diagnostics, compilation.texts)
    options = replace(options, faults=faults)
    if format == "html":
        data = render_html(graph, compilation.spec, diagnostics, options.depth).encode("utf-8")
    elif args.engine == "dot":
        data = _by_dot(render(graph, "dot", options), format, args.output)
    else:
        data = render(graph, format, options)
    if format in BINARY and (missing := missing_letters(picture(graph, options))):
        write(
            sys.stderr,
            f"warning: the bundled font has no picture of {' '.join(missing[:12])}: a {format} "
            "shows boxes in their place; svg and html take a font of the viewer's\n",
        )
    if args.output is None:
        write_bytes(data)
    else:
        write(sys.stderr, f"wrote {write_file(args.output, data)}\n")
    return int(any(found.severity == "error" for found in diagnostics))


def _check_dot(format: str) -> None:
    """Refuse formats that Graphviz does not write, before anything is read."""
    choose(dict.fromkeys((*MAGIC, "dot")), format, "format for --engine dot")
    if format != "dot":
        find_dot()


def _by_dot(text: bytes, format: str, output: Path | None) -> bytes:
    """Return the picture that Graphviz makes; where it fails, its input is kept beside it."""
    if format == "dot":
        return text
    try:
        return run_dot(text.decode("utf-8"), format)
    except DotError as error:
        if output is None:
            raise
        kept = write_file(output.with_suffix(".dot"), text)
        raise DotError(f"{error}\nthe DOT text is in {kept}") from None


PAGE_TAKES_NOT = (
    "block",
    "figure",
    "show",
    "heat",
    "width",
    "height",
    "columns",
    "unfold",
    "fold_loops",
)
"""Options of pictures that a page leaves to its reader."""


def _check_page(args: argparse.Namespace) -> None:
    """Refuse what would have no effect on a page.

    Raises:
        UsageError: some such option is given.
    """
    given = [name for name in PAGE_TAKES_NOT if getattr(args, name) not in (None, (), False)]
    if given:
        options = " and ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(
            f"an html page shows the whole network, and its reader chooses how: leave out {options}"
        )


def options_from(args: argparse.Namespace) -> Options:
    """Return how to draw; what cannot be is refused before the spec is read.

    Raises:
        UsageError: a depth, an annotation, a theme, a direction or a length that does not exist.
    """
    if args.depth != "all" and not re.fullmatch("[0-9]{1,9}", args.depth):
        raise UsageError(f"--depth {args.depth}: write a whole number, or `all`")
    for word in args.show:
        choose(dict.fromkeys(ANNOTATIONS), word, "annotation")
    if args.heat is not None:
        choose(dict.fromkeys(HEATS), args.heat, "heat map")
    choose(dict.fromkeys(DIRECTIONS), args.direction, "direction")
    for side in (args.width, args.height):
        if side is not None:
            parse_length(side)
    return Options(
        block=args.block,
        figure=args.figure,
        depth=EVERYTHING if args.depth == "all" else int(args.depth),
        show=args.show,
        heat=args.heat,
        theme=read_theme(args.theme),
        width=args.width,
        height=args.height,
        columns=args.columns,
        direction=args.direction,
        least_type=args.min_type,
        fold="none" if args.unfold else "loops" if args.fold_loops else "equal",
        standalone=args.standalone,
    )


def chosen_format(output: Path | None, format: str | None) -> str:
    """Return the format to write: the one requested, else that of the file's extension.

    Raises:
        UsageError: there is no such format, or the two disagree.
    """
    if format is not None:
        choose(dict.fromkeys(FORMATS), format, "format")
    if output is None:
        return format or "svg"
    extension = output.suffix.lower()
    implied = EXTENSIONS.get(extension)
    if format is None and implied is None:
        known = ", ".join(EXTENSIONS)
        raise UsageError(
            f"{output}: its extension names no format ({known}); say which with --format"
        )
    if format is not None and implied not in (None, format):
        raise UsageError(f"{output} is named as {implied} but --format says {format}")
    return format or implied or "svg"
