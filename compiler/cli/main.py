"""The command line: one parser for all commands, and what a run of one returns."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from compiler import VERSION
from compiler.cli import COMMANDS, SUMMARIES
from compiler.cli.outcome import exit_code, open_standard_files
from compiler.collector import paused
from compiler.errors import LONGEST_PATH, shortened
from compiler.errors.terminal import write

DESCRIPTION = "netdraft: draft a network in YAML; get a checked graph, a module, code and figures."
EPILOG = "exit codes: 0 fine, 1 the spec is at fault, 2 wrong usage"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # pydantic looks for plugins in every installed package, which takes longer than a check.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    open_standard_files()
    return exit_code(lambda: _run(arguments))


def _run(arguments: list[str]) -> int:
    with paused():  # imports make much and throw nothing away
        args = parser_for(arguments).parse_args(arguments)
    if args.command is None:
        parser_for([]).print_help(sys.stderr)
        return 2
    return int(args.run(args))


class Parser(argparse.ArgumentParser):
    """A parser whose texts go through the one door to the terminal."""

    _is_mixing = False

    def _print_message(self, message: str, file: Any = None) -> None:
        write(sys.stderr if file is None else file, shortened(message, LONGEST_PATH))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; a positional that may be left out may stand behind options, too."""
        if self._is_mixing or not any(
            action.nargs == "?" and not action.option_strings for action in self._actions
        ):
            return super().parse_known_args(args, namespace)
        self._is_mixing = True  # what mixes calls this method for the options, then for the rest
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_mixing = False


def parser_for(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser; only the command that is called is imported and configured."""
    parser = Parser("netdraft", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"netdraft {VERSION}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")
    called = next((a for a in arguments if not a.startswith("-")), None)
    for name in COMMANDS:
        sub = commands.add_parser(name, help=SUMMARIES[name], description=SUMMARIES[name])
        if name == called:
            module = import_module(COMMANDS[name])
            sub.description = module.HELP
            module.configure(sub)
            sub.set_defaults(run=module.run)
    return parser
