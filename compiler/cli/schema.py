"""`schema`: the language as JSON Schema, for editors."""

from __future__ import annotations

import argparse
import sys

from compiler.cli.options import file_path
from compiler.errors.terminal import write

HELP = """Print the JSON Schema (draft 7) of spec files. With it an editor completes keys, says what
they mean and marks what is wrong; specs/README.md shows the line by which a spec names it."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=file_path, help="write it there (default: print it)"
    )


def run(args: argparse.Namespace) -> int:
    """Print or write the schema; 0."""
    from compiler.spec.schema import print_schema  # on use: nothing else needs it

    text = print_schema()
    if args.output is None:
        write(sys.stdout, text)
        return 0
    from compiler.files import write_file

    write(sys.stdout, f"{write_file(args.output, text)}\n")
    return 0
