"""`check`: every error of a spec, with its place and a way out."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

from compiler.collector import paused
from compiler.commands.options import add_format, add_variation, settings_from
from compiler.diagnose import as_github, as_json, as_sarif, print_diagnostics, write
from compiler.errors import CompileError, Diagnostic, Report, in_file_order
from compiler.library import check_library
from compiler.load import load_spec
from compiler.network import lower_network
from compiler.verify import verify
from compiler.version import VERSION

HELP = """Check specs: all errors of a run, each with file, line and column, the values and a way
out. A library of blocks is checked block by block. Nothing is built and nothing is written."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "specs", metavar="SPEC", nargs="+", help="spec files, or shipped names such as inception_v4"
    )
    add_variation(parser)
    parser.add_argument(
        "--emit", choices=("spec", "graph", "shapes"), help="print this stage of a correct spec"
    )
    add_format(parser, "text", "json", "sarif", "github")


@dataclass(slots=True)
class Checked:
    """What came of one file."""

    diagnostics: tuple[Diagnostic, ...]
    texts: dict[str, str]
    line: str
    emitted: str = ""


def run(args: argparse.Namespace) -> int:
    """Check every spec; 0 if none has an error, else 1."""
    with paused():
        results = [_check(path, args) for path in args.specs]
    found = [d for r in results for d in r.diagnostics]
    if args.format == "text":
        for result in results:
            print_diagnostics(result.diagnostics, result.texts)
            write(sys.stdout, result.emitted or result.line + "\n")
    else:
        formatted = {
            "json": as_json,
            "github": as_github,
            "sarif": lambda d: as_sarif(d, VERSION),
        }[args.format](found)
        write(sys.stdout, formatted + "\n")
    return int(any(d.severity == "error" for d in found))


def _check(path: str, args: argparse.Namespace) -> Checked:
    report, texts = Report(), {}
    emitted, line = "", ""
    try:
        spec = load_spec(path, report, texts)
        if spec.network is None:
            count = check_library(spec, report)
            line = f"{path}: {count} block{'s' * (count != 1)}"
        else:
            graph = lower_network(spec, report, settings_from(args), args.inputs)
            if not report.errors:
                verify(graph)
            line = f"{path}: {graph.title}, {len(graph.nodes)} operations"
            if args.emit and not report.errors:
                emitted = _emit(args.emit, graph, spec)
    except CompileError as error:
        for diagnostic in error.diagnostics:
            report.add(diagnostic)
    errors = len(report.errors)
    verdict = f"{errors} error{'s' * (errors != 1)}" if errors else "ok"
    return Checked(in_file_order(report.diagnostics, texts), texts, f"{line or path}: {verdict}", emitted)


def _emit(stage: str, graph: object, spec: object) -> str:
    from compiler.graph import Graph
    from compiler.load import Spec
    from compiler.print_graph import print_graph
    from compiler.print_spec import print_spec

    assert isinstance(graph, Graph) and isinstance(spec, Spec)
    return print_spec(spec) if stage == "spec" else print_graph(graph, shapes=stage == "shapes")
