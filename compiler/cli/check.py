"""`check`: every error of a spec, with its place and a way out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from compiler import VERSION
from compiler.cli.options import add_emit, add_format, add_variation, settings_from
from compiler.collector import paused
from compiler.errors import CompileError, Diagnostic, Report, on_one_line
from compiler.errors.terminal import write
from compiler.graph import Graph
from compiler.lower import check_library
from compiler.pipeline import NO_SETTINGS, STAGES, Compilation
from compiler.spec import Spec, is_recipe

if TYPE_CHECKING:
    from compiler.paper.findings import Comparison

HELP = """Check specs: all errors of a run, each with file, line and column, the values and a way
out. A library of blocks is checked block by block, and recipes of training are checked too. Nothing
is built and nothing is written."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "specs", metavar="SPEC", nargs="+", help="spec files, or shipped names such as inception_v4"
    )
    add_variation(parser)
    add_emit(parser, "spec", "graph", "shapes", help="print this stage of a correct spec")
    parser.add_argument(
        "--against",
        choices=("paper",),
        help="compare what cites a figure or table with it, box by box, and explain each deviation",
    )
    parser.add_argument(
        "--fix",
        action="store_true",
        help="write what is certain into the files: a misspelt word becomes the one that its "
        "message asks for; all else stays as it is",
    )
    add_format(parser, "text", "json", "sarif", "github")


@dataclass(slots=True)
class Checked:
    """What came of one file."""

    path: str
    diagnostics: tuple[Diagnostic, ...]
    texts: dict[str, str]
    line: str
    emitted: str = ""
    paper: Comparison | None = None

    @property
    def has_errors(self) -> bool:
        """True if the spec cannot be built."""
        return any(d.severity == "error" and d.code != "unlike-paper" for d in self.diagnostics)


def run(args: argparse.Namespace) -> int:
    """Check every spec; 0 if none has an error, else 1."""
    with paused():
        results = [_check(path, args) for path in args.specs]
        if args.fix:
            results = [_fix(result, args) if result.diagnostics else result for result in results]
    found = [d for r in results for d in r.diagnostics]
    if args.format == "text":
        for result in results:
            _print(result)
            write(sys.stdout, _paper_text(result) + (result.emitted or result.line + "\n"))
    else:
        write(sys.stdout, _formatted(args.format, found, results) + "\n")
    return int(any(d.severity == "error" for d in found))


def _print(result: Checked) -> None:
    if result.diagnostics:
        from compiler.errors.diagnose import print_diagnostics  # on use, for start-up time

        print_diagnostics(result.diagnostics, result.texts)


def _fix(result: Checked, args: argparse.Namespace) -> Checked:
    """Make the edits that are certain, say which, and check again."""
    from compiler.edit.fix import fix  # on use, for start-up time
    from compiler.edit.span_edits import SourceFile
    from compiler.spec.shipped import is_shipped

    files = {name: SourceFile.read(Path(name)) for name in result.texts if not is_shipped(name)}
    texts = {name: file.text for name, file in files.items()}

    def check(changed: Mapping[str, str]) -> tuple[Diagnostic, ...]:
        unsaved = {os.path.realpath(name): text for name, text in changed.items()}
        return _check(result.path, args, unsaved).diagnostics

    changed, made = fix(result.diagnostics, texts, check)
    for name, text in changed.items():
        files[name].write(text)
    for each in made:
        write(sys.stderr, f"fixed {each}\n")
    return _check(result.path, args) if made else result


def _check_recipe(path: str) -> Checked:
    from compiler.recipe import load_recipe  # on use, for start-up time

    try:
        load_recipe(path)
    except CompileError as error:
        count = sum(d.severity == "error" for d in error.diagnostics)
        line = f"{path}: {count:,} error{'s' * (count != 1)}"
        return Checked(path, tuple(error.diagnostics), dict(error.texts), line)
    return Checked(path, (), {}, f"{path}: a recipe of training: ok")


def _check(
    path: str, args: argparse.Namespace, unsaved: Mapping[str, str] = NO_SETTINGS
) -> Checked:
    if is_recipe(path):
        return _check_recipe(path)
    compilation = Compilation(path, inputs=args.inputs, unsaved=unsaved)
    report = compilation.report
    out = Checked(path, (), compilation.texts, path)
    try:
        if compilation.spec.network is None:
            with compilation.reporting():
                count = check_library(compilation.spec, report)
            if count or not report.errors:  # else it may have been meant as a network
                out.line = f"{path}: {count} block{'s' * (count != 1)}"
            if args.against:
                out.line += ", to be compared where a network uses them"
        else:
            compilation.settings = settings_from(args)
            graph = compilation.draft
            count = len(graph.nodes)
            out.line = f"{path}: {on_one_line(graph.title)}, {count} operation{'s' * (count != 1)}"
            if args.against:
                out.paper = _compare(graph, compilation.spec, report)
            if args.emit and not report.errors:
                out.emitted = STAGES[args.emit](compilation)
    except CompileError:
        pass  # its diagnostics are in the report
    errors = report.counts["error"]
    out.line += f": {errors:,} error{'s' * (errors != 1)}" if errors else ": ok"
    out.diagnostics = compilation.diagnostics
    return out


def _compare(graph: Graph, spec: Spec, report: Report) -> Comparison:
    from compiler.paper.compare import compare  # on use: `check` alone starts without it

    comparison = compare(graph, spec.errata)
    report.add_all(comparison.diagnostics)
    return comparison


def _paper_text(result: Checked) -> str:
    if result.paper is None:
        return ""
    from compiler.paper.report import as_text

    return as_text(result.paper, not result.has_errors)


def _formatted(format: str, found: list[Diagnostic], results: list[Checked]) -> str:
    import json

    from compiler.errors.diagnose import as_dict, as_github, as_json, as_sarif

    if format == "github":
        return as_github(found)
    if format == "sarif":
        return as_sarif(found, VERSION)
    if all(r.paper is None for r in results):
        return as_json(found)
    from compiler.paper.report import as_data

    compared = {r.path: as_data(r.paper) for r in results if r.paper is not None}
    data = {"diagnostics": [as_dict(d) for d in found], "paper": compared}
    return json.dumps(data, indent=2, ensure_ascii=False)
