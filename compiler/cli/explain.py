"""`explain`: a page for each code of a message."""

from __future__ import annotations

import argparse
import sys
import textwrap

from compiler.cli.options import add_format
from compiler.errors.terminal import write

HELP = """Say what a code means, as it stands in the brackets of a message, for instance in
`error[shape-mismatch]`: a spec that is wrong, its message, and the spec mended. Without a code:
what codes there are."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("code", metavar="CODE", nargs="?", help="such as shape-mismatch")
    add_format(parser, "text", "json")


def indented(text: str) -> str:
    """Return a sentence as lines of 80 columns below a code."""
    indent = " " * 4
    return textwrap.fill(text, 80, initial_indent=indent, subsequent_indent=indent)


def run(args: argparse.Namespace) -> int:
    """Print a page, or the list of codes; 0."""
    from compiler.errors.explain import codes, page  # on use: nothing else needs it

    pages = [page(code) for code in ([args.code] if args.code else codes())]
    if args.format == "json":
        import json

        data = [
            {"code": p.code, "words": " ".join(p.words.split()), "wrong": p.wrong,
             "message": p.message, "mended": p.mended}
            for p in pages
        ]  # fmt: skip
        text = json.dumps(data[0] if args.code else data, indent=2, ensure_ascii=False) + "\n"
    elif args.code:
        text = pages[0].text
    else:
        text = "".join(f"{p.code}\n{indented(p.summary)}\n" for p in pages)
    write(sys.stdout, text)
    return 0
