"""`watch`: a page of this machine that follows the file while it is edited."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress

from compiler.cli.options import add_spec, settings_from, whole
from compiler.edit.session import Outcome, Session
from compiler.errors import on_one_line
from compiler.errors.terminal import write
from compiler.loopback import ADDRESS, open_port
from compiler.spec.file import display

HELP = """Serve a page on the loopback address that follows a spec: figure, stages and errors are
new with each save, of the files that it imports too. Zoom, open blocks and what is selected stay;
while the file cannot be read, the last figure does. Other values are tried by the compiler itself,
and `Write to the file` puts one into the YAML: an edit of that value alone, which can be undone.
Ctrl-C ends it."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument(
        "--port", type=whole(1, 65535), metavar="N", help="the port (default: a free one)"
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument(
        "--depth", type=whole(0, 100), default=0, metavar="N", help="levels of blocks to open"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C; 0."""
    from viz.serve import Hands, serve  # needs netdraft[watch]

    session = Session(args.spec, settings_from(args), args.inputs)
    name = on_one_line(display(session.path))

    def tell(outcome: Outcome) -> None:
        write(
            sys.stderr,
            f"{summary(outcome)}\n" if outcome.failure else f"{name}: {summary(outcome)}\n",
        )

    def put(key: str, text: str, was: str | None) -> str:
        change = session.write(key, text, was)
        kept = session.kept_by_command(key)
        return f"{change}; here {kept} of the command still holds" if kept else str(change)

    hands = Hands(
        files=lambda: session.files,
        refresh=session.refresh,
        attempt=session.attempt,
        values=session.values,
        places=session.places,
        write=put,
        undo=session.undo,
        redo=session.redo,
        standing=lambda: session.history.standing,
        tell=tell,
    )
    help = "say another one with --port, or leave it out for a free one"
    listening = open_port(args.port or 0, help)
    url = f"http://{ADDRESS}:{listening.getsockname()[1]}/"
    write(sys.stdout, f"watching {name} at {url} (Ctrl-C ends it)\n")
    if args.open:
        import webbrowser

        webbrowser.open(url)
    with suppress(KeyboardInterrupt):
        serve(hands, listening, args.depth)
    return 0


def summary(outcome: Outcome) -> str:
    """Return in a line what the files came to.

    >>> summary(Outcome(None, None, (), {}, failure="it is not there"))
    'it is not there'
    """
    if outcome.failure:
        return on_one_line(outcome.failure)
    count = sum(d.severity == "error" for d in outcome.diagnostics)
    what = f"{count:,} error{'s' * (count != 1)}" if count else "ok"
    if outcome.graph is None:
        return f"{what}, no figure"
    return f"{on_one_line(outcome.graph.title)}, {len(outcome.graph.nodes):,} operations: {what}"
