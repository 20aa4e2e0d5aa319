"""`why`: where a number of a network comes from."""

from __future__ import annotations

import argparse
import sys

from compiler.cli.options import add_format, add_spec, compilation_from, whole
from compiler.errors.terminal import write

HELP = """Say where a number comes from: its formula, and each term of it with file, line and what
is cited there, to literals. VALUE is `channels`, `height`, `width`, `parameters`, `macs`, `buffers`
or `receptive_field` of a layer or block (`reduction_a.channels`) or of the network (`macs`), an
attribute of a layer (`stem.conv_1a.stride`), or a parameter (`classes`, `reduction_a.n`)."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument("value", metavar="VALUE", help="a name such as reduction_a.channels")
    parser.add_argument(
        "--depth", type=whole(0), metavar="N", help="show terms N deep (default: to literals)"
    )
    add_format(parser, "text", "json")


def run(args: argparse.Namespace) -> int:
    """Print the derivation; 0, or 1 where the spec has errors, which are printed too."""
    from compiler.facts.why import as_data, as_text, why  # on use, for start-up time

    compilation = compilation_from(args)
    graph = compilation.draft  # of a wrong spec too: why a size is not what it should be
    if compilation.report.diagnostics:
        from compiler.errors.diagnose import print_diagnostics  # on use, for start-up time

        print_diagnostics(compilation.diagnostics, compilation.texts)
    step = why(graph, args.value)
    if args.format == "json":
        import json

        write(sys.stdout, json.dumps(as_data(step), indent=2, ensure_ascii=False) + "\n")
    else:
        write(sys.stdout, as_text(step, args.depth))
    return int(bool(compilation.report.errors))
