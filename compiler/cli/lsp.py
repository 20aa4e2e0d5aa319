"""`lsp`: the language server, for editors."""

from __future__ import annotations

import argparse

HELP = """Speak the Language Server Protocol on standard input and output: an editor shows errors
while one types, sizes at line ends, what a layer is (size, parameters, MACs, citations, errata)
under the pointer, goes to definitions, mends misspelt words and sets spaces in order."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--stdio", action="store_true", help="what editors ask for; nothing else is"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until the editor leaves; 0."""
    from compiler.server.lsp import make_server  # needs pygls

    make_server().start_io()
    return 0
