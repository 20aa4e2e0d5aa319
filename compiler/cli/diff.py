"""`diff`: what changed between two specs, in architecture terms."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.cli.options import add_format, add_variation, settings_from, whole
from compiler.errors import UsageError
from compiler.errors.terminal import write
from compiler.graph import Graph

if TYPE_CHECKING:
    from compiler.compare import Comparison

HELP = """Say what changed between two networks: layers added, removed, changed and renamed, by what
they break (drawing < numerics < interface < weights), with parameters, multiply-accumulates, sizes,
receptive fields, and the tensors of a file of weights that no longer load. A and B are spec files,
shipped names, or git:REVISION:PATH, read with its imports from that revision."""
CATEGORIES = ("drawing", "numerics", "interface", "weights")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("before", metavar="A", help="the first network")
    parser.add_argument("after", metavar="B", help="the second network")
    add_variation(parser)
    parser.add_argument(
        "--breaking",
        choices=CATEGORIES,
        help="exit 1 where a change is of this category, or of a graver one",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        help="draw it too, added boxes green, removed ones red, changed ones yellow: both networks "
        "side by side in an html page, or the second one in an svg, pdf or png",
    )
    parser.add_argument(
        "--depth",
        type=whole(0),
        default=1,
        metavar="N",
        help="levels of blocks to open (default: 1)",
    )
    add_format(parser, "text", "json", "markdown")


def run(args: argparse.Namespace) -> int:
    """Print the comparison; 1 where it breaks what `--breaking` names, else 0."""
    from compiler.compare import as_data, as_markdown, as_text, compare, load_operand  # on use

    settings = settings_from(args)
    before, name_before = load_operand(args.before, settings, args.inputs)
    after, name_after = load_operand(args.after, settings, args.inputs)
    found = compare(before, after, (name_before, name_after))
    if args.format == "json":
        import json

        write(sys.stdout, json.dumps(as_data(found), indent=2, ensure_ascii=False) + "\n")
    else:
        write(sys.stdout, as_text(found) if args.format == "text" else as_markdown(found))
    if args.output is not None:
        _draw(found, before, after, args)
    return int(args.breaking is not None and found.reaches(args.breaking))


def _draw(found: Comparison, before: Graph, after: Graph, args: argparse.Namespace) -> None:
    """Write the picture of a comparison.

    Raises:
        UsageError: the file's name asks for no format, or the place cannot be written.
    """
    from compiler.compare import as_text, marks  # on use, as drawing is
    from compiler.files import write_file
    from viz.comparison import FORMATS, draw

    format = args.output.suffix.removeprefix(".")
    if format not in FORMATS:
        raise UsageError(f"-o {args.output}: its name ends in none of {', '.join(FORMATS)}")
    data = draw((before, after), marks(found, before, after), as_text(found), format, args.depth)
    write_file(args.output, data)
