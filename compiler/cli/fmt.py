"""`fmt`: the spaces of a spec, set in order."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from compiler.errors import CompileError, UsageError
from compiler.errors.terminal import write

HELP = """Set the spaces of specs in order: inside brackets one space after a comma and a colon and
none at the brackets, no spaces at the ends of lines. Comments, quotes, lines and what is aligned
stay as they are, and a file that is in order is not written."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("specs", metavar="SPEC", nargs="+", type=Path, help="spec files")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 where a file is not in order"
    )


def run(args: argparse.Namespace) -> int:
    """Write what is not in order and name it; 1 where a file is no YAML, or not with --check."""
    from compiler.edit.format import format_text  # on use, for start-up time
    from compiler.edit.span_edits import SourceFile
    from compiler.errors.diagnose import print_diagnostics

    found = is_broken = False
    for path in args.specs:
        if not path.is_file():
            raise UsageError(f"{path} is no file; `fmt` takes spec files")
        source = SourceFile.read(path)
        try:
            text = format_text(source.text, str(path))
        except CompileError as error:
            print_diagnostics(error.diagnostics, {str(path): source.text})
            is_broken = True
            continue
        if text == source.text:
            continue
        found = True
        if not args.check:
            source.write(text)
        write(sys.stdout, f"{path}: {'not in order' if args.check else 'set in order'}\n")
    return int(is_broken or (found and args.check))
