"""`rename`: a name changed wherever it is spoken of."""

from __future__ import annotations

import argparse
import sys

from compiler.errors.terminal import write

HELP = """Rename a layer, a block, a parameter, a name of a `let` or a variable of a `for` wherever
it is spoken of: in the spec, in what it imports, and in the specs of its folder tree that read the
same files. Each of those networks is compiled before and after, and nothing is written unless all
are the same but for the name. Comments, quotes and spaces stay. Files of weights have the old name:
`--moved` lets them load."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("spec", metavar="SPEC", help="a spec file of a network")
    parser.add_argument(
        "old",
        metavar="OLD",
        help="a layer's path, a block, a value (a parameter, a name of a `let`), block.value, or "
        "layer.variable",
    )
    parser.add_argument("new", metavar="NEW", help="the new name, of the last step of the path")
    parser.add_argument(
        "--kind",
        choices=("layer", "block", "parameter"),
        default="",
        help="what OLD is, where it could be several; a value is a parameter",
    )
    parser.add_argument(
        "--moved",
        action="store_true",
        help="say so under `moved` of each network: files of weights that have the old name load, "
        "and `diff` follows it",
    )
    parser.add_argument("--dry-run", action="store_true", help="write nothing, say what would be")


def run(args: argparse.Namespace) -> int:
    """Write the files that change and name them; 0."""
    from compiler.edit.rename import rename  # on use, for start-up time
    from compiler.edit.span_edits import SourceFile

    found = rename(args.spec, args.old, args.new, args.kind, moves=args.moved)
    for path, text in found.files.items():
        if not args.dry_run:
            SourceFile.read(path).write(text)
        write(sys.stdout, f"{path}\n")
    networks, places, files = len(found.networks), len(found.edits), len(found.files)
    write(
        sys.stdout,
        f"{places} place{'s' * (places != 1)} in {files} file{'s' * (files != 1)}"
        f"{' would change' * args.dry_run}; "
        f"{networks} network{'s are' if networks > 1 else ' is'} the same but for the name\n",
    )
    return 0
