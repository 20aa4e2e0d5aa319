"""`verify`: prove that an edited source file still is the spec, or show where it departs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from compiler.cli.options import add_probabilities, add_spec, file_path, graph_from
from compiler.errors import UsageError
from compiler.errors.terminal import write
from compiler.facts.available_memory import check_memory
from compiler.files import check_file
from compiler.pipeline import target_graph

HELP = """Compare a Python file with the network that a spec describes. The file is first read as
text and never run: where only comments, docstrings and layout differ from the emitted source,
that is proof. With --run the file is executed in a process of its own, with all that it does,
and compared by names, shapes and numbers on random inputs. Exit codes: 0 it is the spec, 1 it
departs from it or is not proven, 2 wrong usage."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "file", metavar="FILE.py", type=file_path, help="emitted source, edited or not"
    )
    add_spec(parser)
    add_probabilities(parser)
    parser.add_argument(
        "--normalize",
        metavar="MAP",
        help="mean and deviation are in the file, those of a map or `{mean: ..., ...}` "
        "(`build --normalize` put them there)",
    )
    parser.add_argument(
        "--run",
        dest="is_run",
        action="store_true",
        help="execute the file and compare the numbers too",
    )


def run(args: argparse.Namespace) -> int:
    """Compare; 0 when the file is the spec, 1 when it is not or not proven."""
    from backends.torch.source_comparison import (
        Departure,
        NoPython,
        compare_run,
        compare_text,
    )  # loads torch

    file: Path = args.file
    checked, how = graph_from(args), None
    if args.normalize is not None:
        from compiler.weights.pictures import preprocessing_from

        how = preprocessing_from(args.normalize, "--normalize")
    graph = target_graph(checked, probabilities=args.probabilities, standardize=how)
    text = _read(file)
    try:
        compare_text(text, graph)
        proven, reason = True, "the code is the emitted code"
    except NoPython as fault:
        write(sys.stdout, f"{file}: is not the source of `{graph.name}`: {fault}\n")
        return 1
    except Departure as departure:
        proven, reason = False, str(departure)
    if not args.is_run:
        return _report_text(file, graph.name, proven, reason)
    check_memory(graph, copies=4, batch=2)  # two networks, their state and a file of it
    try:
        facts = compare_run(file, graph)
    except Departure as departure:
        write(sys.stdout, f"{file}: departs from `{graph.name}`: {departure}\n")
        return 1
    if not proven:
        facts = [f"the code differs ({reason}), the network does not", *facts]
    write(sys.stdout, "\n  ".join([f"{file}: is `{graph.name}`", *facts]) + "\n")
    return 0


def _read(path: Path) -> str:
    check_file(path)
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text in UTF-8") from None


def _report_text(path: Path, name: str, proven: bool, reason: str) -> int:
    if proven:
        write(sys.stdout, f"{path}: is `{name}`\n  {reason}; it was not run\n")
        return 0
    write(
        sys.stdout,
        f"{path}: is not the source of `{name}`: {reason}\n"
        "  it was not run; add --run to compare names, shapes and numbers\n",
    )
    return 1
