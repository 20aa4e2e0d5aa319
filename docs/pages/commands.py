"""docs/CLI.md, written from the parsers: `python -m docs.pages.commands [--check]`."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from compiler.cli import COMMANDS
from compiler.cli.main import parser_for
from docs.pages.section import rewrite

PAGE = Path(__file__).parents[2] / "docs" / "CLI.md"
HEAD = """# Commands

Made by `make docs` from the parsers themselves. `netdraft` and `python -m compiler` are the same.
Exit codes: 0 fine, 1 the spec is at fault, 2 wrong usage. A name on the
command line that the spec does not have (`--set`, `--input`, `--taps`, `--features`, `--block`,
`--figure`, `--output`) is wrong usage, and so is a value that it does not take.
"""


def help_page() -> str:
    """Return the help of every command as a page."""
    with _wide():
        sections = [_section(())] + [_section((name,)) for name in COMMANDS]
    return HEAD + "".join(sections)


def _section(command: tuple[str, ...]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        parser_for(command).parse_args([*command, "--help"])
    title = " ".join(("netdraft", *command))
    return f"\n## `{title}`\n\n```text\n{out.getvalue().rstrip()}\n```\n"


@contextlib.contextmanager
def _wide() -> Iterator[None]:
    """Give argparse one width, whatever the terminal's."""
    kept = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"
    yield
    del os.environ["COLUMNS"]
    if kept is not None:
        os.environ["COLUMNS"] = kept


def main(arguments: list[str]) -> int:
    """Rewrite the page, or with --check say whether it is stale."""
    return rewrite(PAGE, help_page(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
