"""`lsp`: the language server, for editors."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress

from compiler.cli.options import whole
from compiler.errors import UsageError
from compiler.errors.terminal import write
from compiler.loopback import ADDRESS, open_port, origin_from

HELP = """Speak the Language Server Protocol on standard input and output: an editor shows errors
while one types, sizes at line ends, what a layer is (size, parameters, MACs, citations, errata)
under the pointer, goes to definitions, mends misspelt words and sets spaces in order. With --ws it
is a websocket of this machine, for an editor in a web page; Ctrl-C ends it."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--stdio", action="store_true", help="what editors ask for (default)")
    ways.add_argument(
        "--ws",
        type=whole(0, 65535),
        metavar="PORT",
        help=f"a websocket on {ADDRESS}, which prints its address; 0: a free port",
    )
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="URL",
        help="where the page is that may connect, such as http://localhost:8000; any number of "
        "times. No other page may",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until the editor leaves, or until Ctrl-C; 0."""
    if args.ws is not None:
        return _serve(args.ws, [origin_from(text) for text in args.origin])
    if args.origin:
        raise UsageError("--origin says who may connect to a websocket: say its port with --ws")
    from compiler.server.lsp import make_server  # needs pygls

    make_server().start_io()
    return 0


def _serve(port: int, pages: list[str]) -> int:
    from compiler.server.sockets import serve  # needs pygls and websockets

    listening = open_port(port, "say another one with --ws, 0 for a free one")
    url = f"ws://{ADDRESS}:{listening.getsockname()[1]}/"
    write(sys.stdout, f"language server at {url} (Ctrl-C ends it)\n")

    def tell(complaint: str) -> None:
        write(sys.stderr, f"refused: {complaint}; --origin names the pages that may connect\n")

    with suppress(KeyboardInterrupt):
        serve(listening, pages, tell)
    return 0
