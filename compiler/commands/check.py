"""`check`: every error of a spec, with its place and a way out."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass

from compiler.collector import paused
from compiler.commands.options import add_format, add_variation, settings_from
from compiler.diagnose import as_dict, as_github, as_json, as_sarif, print_diagnostics, write
from compiler.errors import CompileError, Diagnostic, Report, in_file_order
from compiler.library import check_library
from compiler.load import load_spec
from compiler.network import lower_network
from compiler.paper.compare import compare
from compiler.paper.findings import Comparison
from compiler.paper.report import as_data as paper_as_data
from compiler.paper.report import as_text as paper_as_text
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
    parser.add_argument(
        "--against",
        choices=("paper",),
        help="compare what cites a figure or table with it, box by box, and explain each deviation",
    )
    add_format(parser, "text", "json", "sarif", "github")


@dataclass(slots=True)
class Checked:
    """What came of one file."""

    diagnostics: tuple[Diagnostic, ...]
    texts: dict[str, str]
    line: str
    emitted: str = ""
    paper: Comparison | None = None
    path: str = ""

    @property
    def has_errors(self) -> bool:
        """True if the spec cannot be built."""
        return any(d.severity == "error" and d.code != "unlike-paper" for d in self.diagnostics)


def run(args: argparse.Namespace) -> int:
    """Check every spec; 0 if none has an error, else 1."""
    with paused():
        results = [_check(path, args) for path in args.specs]
    found = [d for r in results for d in r.diagnostics]
    if args.format == "text":
        for result in results:
            print_diagnostics(result.diagnostics, result.texts)
            if result.paper is not None:
                write(sys.stdout, paper_as_text(result.paper, not result.has_errors))
            write(sys.stdout, result.emitted or result.line + "\n")
    elif args.format == "json" and args.against:
        write(sys.stdout, _with_paper(results, found) + "\n")
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
    emitted, line, comparison = "", "", None
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
            if args.against:
                comparison = compare(graph, {name: e.where for name, e in spec.errata.items()})
                for diagnostic in comparison.diagnostics:
                    report.add(diagnostic)
            if args.emit and not report.errors:
                emitted = _emit(args.emit, graph, spec)
    except CompileError as error:
        for diagnostic in error.diagnostics:
            report.add(diagnostic)
    errors = len(report.errors)
    verdict = f"{errors} error{'s' * (errors != 1)}" if errors else "ok"
    found = in_file_order(report.diagnostics, texts)
    return Checked(found, texts, f"{line or path}: {verdict}", emitted, comparison, path)


def _with_paper(results: list[Checked], found: list[Diagnostic]) -> str:
    """Return the diagnostics and the comparisons as one JSON object."""
    compared = {r.path: paper_as_data(r.paper) for r in results if r.paper is not None}
    data = {"diagnostics": [as_dict(d) for d in found], "paper": compared}
    return json.dumps(data, indent=2, ensure_ascii=False)


def _emit(stage: str, graph: object, spec: object) -> str:
    from compiler.graph import Graph
    from compiler.load import Spec
    from compiler.print_graph import print_graph
    from compiler.print_spec import print_spec

    assert isinstance(graph, Graph) and isinstance(spec, Spec)
    return print_spec(spec) if stage == "spec" else print_graph(graph, shapes=stage == "shapes")
