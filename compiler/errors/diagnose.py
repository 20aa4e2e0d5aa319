"""Diagnostics -> text in the manner of rustc, JSON, SARIF 2.1, GitHub annotations."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from compiler.errors.report import Diagnostic, Remark, Span
from compiler.errors.shown import on_one_line, shortened, shown
from compiler.errors.terminal import display_width, wants_color, write_painted

WIDTH = 80
RED, YELLOW, BLUE, BOLD, PLAIN = "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"
Paint = Callable[[str, str], str]


def as_text(
    diagnostics: Iterable[Diagnostic], texts: Mapping[str, str], color: bool = False
) -> str:
    """Return diagnostics for people, 80 columns wide where the spec's own lines allow it."""

    def paint(style: str, text: str) -> str:
        return f"{style}{text}{PLAIN}" if color else text

    lines = _Lines(texts)
    return "\n".join(_one(_readable(d), lines, paint) for d in diagnostics)


def _readable(found: Diagnostic) -> Diagnostic:
    """Return a finding whose words hold nothing that a terminal would obey."""
    return replace(
        found,
        message=shown(found.message),
        label=shown(found.label),
        remarks=tuple(Remark(r.span, shown(r.text)) for r in found.remarks),
        notes=tuple(map(shown, found.notes)),
        help=shown(found.help),
    )


class _Lines:
    """The lines of the files, split once however many findings show one."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self.split: dict[str, list[str]] = {}

    def line(self, span: Span) -> str | None:
        """Return the line of a place, None where its file is not at hand."""
        text = self.texts.get(span.file)
        if text is None or span.line < 1:
            return None
        lines = self.split.get(span.file)
        if lines is None:
            lines = self.split[span.file] = text.splitlines()
        return lines[span.line - 1] if span.line <= len(lines) else ""


def _one(found: Diagnostic, texts: _Lines, paint: Paint) -> str:
    style = RED if found.severity == "error" else YELLOW
    head = paint(style, f"{found.severity}[{found.code}]") + paint(BOLD, f": {found.message}")
    lines = [_wrap_head(found, head, paint, style)]
    places = [Remark(found.span, found.label), *found.remarks]
    margin = max(len(str(p.span.line)) for p in places)
    file = ""
    for number, place in enumerate(places):
        lines += _snippet(
            place, texts, paint, style if number == 0 else BLUE, margin, place.span.file != file
        )
        file = place.span.file
    pad = " " * margin
    if found.notes or found.help:
        lines.append(f"{pad} {paint(BLUE, '|')}")
    lines += [
        _labelled(f"{pad} {paint(BLUE, '=')} note: ", margin + 9, note) for note in found.notes
    ]
    if found.help:
        lines.append(_labelled(f"{pad} {paint(BLUE, '=')} help: ", margin + 9, found.help))
    return "\n".join(lines) + "\n"


def _wrap_head(found: Diagnostic, head: str, paint: Paint, style: str) -> str:
    plain = f"{found.severity}[{found.code}]: "
    wrapped = textwrap.wrap(
        shortened(plain + found.message),
        WIDTH,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    if len(wrapped) < 2 and len(plain + found.message) <= WIDTH:
        return head
    first = paint(style, plain[:-2]) + paint(BOLD, ": " + wrapped[0][len(plain) :])
    return "\n".join([first, *(paint(BOLD, w) for w in wrapped[1:])])


def _labelled(label: str, width: int, text: str) -> str:
    wrapped = textwrap.wrap(
        shortened(text), WIDTH - width, break_long_words=False, break_on_hyphens=False
    ) or [""]
    return label + ("\n" + " " * width).join(wrapped)


def _snippet(
    place: Remark, texts: _Lines, paint: Paint, style: str, margin: int, names_file: bool
) -> list[str]:
    """Return the lines that show a place: the file, the source line, the caret and its label."""
    pad, bar = " " * margin, paint(BLUE, "|")
    arrow = paint(BLUE, "-->" if names_file else ":::")
    out = [f"{pad}{arrow} {on_one_line(str(place.span))}"] if names_file else []
    source = texts.line(place.span)
    if source is None:
        return [*out, f"{pad} {paint(BLUE, '=')} note: {place.text}"] if place.text else out
    text = shortened(place.text)
    shown, before, width = _fit(source, place.span, margin)
    number = paint(BLUE, str(place.span.line).rjust(margin))
    underline = paint(style, "^" * width if style != BLUE else "-" * width)
    if names_file:
        out.append(f"{pad} {bar}")
    out.append(f"{number} {bar} {shown}".rstrip())
    caret = f"{pad} {bar} {' ' * before}{underline}"
    columns = WIDTH - (margin + 3 + before + width + 1)
    if text and len(text) > columns:
        indent = " " * min(before, max(0, WIDTH - margin - 3 - len(text)))
        return [*out, caret, f"{pad} {bar} {indent}{paint(style, text)}"]
    return [*out, f"{caret} {paint(style, text)}".rstrip() if text else caret]


def _fit(source: str, span: Span, margin: int) -> tuple[str, int, int]:
    """Return the part of a source line to show, the column of its caret, and the caret's width."""
    start = min(span.column - 1, len(source))
    end = span.end_column - 1 if span.end_line == span.line else len(source)
    end = max(start + 1, min(end, len(source)))
    columns = WIDTH - margin - 4
    cut = max(0, min(start - 8, len(source) - columns))
    # What is too far away to be shown is not looked at: a line may be as long as a file.
    near = [on_one_line(c) for c in source[cut : cut + columns + 1]]
    cells = near
    if cut or display_width("".join(near)) > columns:
        cells = [*(["..."] if cut else []), *near[: columns - 6], "..."]
        start, end = (at - cut + bool(cut) for at in (start, end))
    before = display_width("".join(cells[:start]))
    width = display_width("".join(cells[start:end]))
    return "".join(cells), before, max(1, min(width, columns - before))


def as_dict(found: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic as JSON-ready data."""
    return {
        "code": found.code,
        "severity": found.severity,
        "message": found.message,
        **_place(found.span),
        "label": found.label,
        "related": [{**_place(r.span), "message": r.text} for r in found.remarks],
        "notes": list(found.notes),
        "help": found.help,
        "errata": list(found.errata),
    }


def _place(span: Span) -> dict[str, Any]:
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def as_json(diagnostics: Iterable[Diagnostic]) -> str:
    """Return diagnostics as a JSON list."""
    return json.dumps([as_dict(d) for d in diagnostics], indent=2, ensure_ascii=False)


def as_github(diagnostics: Iterable[Diagnostic]) -> str:
    """Return diagnostics as workflow commands that annotate a pull request."""
    return "\n".join(_github(d) for d in diagnostics)


def _github(found: Diagnostic) -> str:
    span = found.span
    text = found.message + (f"\nhelp: {found.help}" if found.help else "")
    fields = f"file={_escape(span.file, True)},line={span.line},col={span.column}"
    if span.end_line:
        fields += f",endLine={span.end_line},endColumn={span.end_column}"
    return f"::{found.severity} {fields},title={_escape(found.code, True)}::{_escape(text, False)}"


def _escape(text: str, is_property: bool) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if is_property else text


def as_sarif(diagnostics: Iterable[Diagnostic], version: str) -> str:
    """Return diagnostics as a SARIF 2.1.0 log."""
    found = list(diagnostics)
    rules = sorted({d.code for d in found})
    driver = {"name": "netdraft", "version": version, "rules": [{"id": r} for r in rules]}
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [_sarif_result(d, rules) for d in found],
            }
        ],
    }
    return json.dumps(log, indent=2, ensure_ascii=False)


def _sarif_result(found: Diagnostic, rules: list[str]) -> dict[str, Any]:
    text = found.message + (f". Help: {found.help}" if found.help else "")
    return {
        "ruleId": found.code,
        "ruleIndex": rules.index(found.code),
        "level": found.severity,
        "message": {"text": text},
        "locations": [_sarif_location(found.span)],
        "relatedLocations": [
            {**_sarif_location(r.span), "message": {"text": r.text}} for r in found.remarks
        ],
    }


def _sarif_location(span: Span) -> dict[str, Any]:
    region = {"startLine": max(1, span.line), "startColumn": max(1, span.column)}
    if span.end_line:
        region |= {"endLine": span.end_line, "endColumn": span.end_column}
    uri = span.file.replace(os.sep, "/")
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}


def print_diagnostics(diagnostics: Iterable[Diagnostic], texts: Mapping[str, str]) -> None:
    """Print diagnostics to standard error; a terminal that lacks a character gets `?` for it."""
    text = as_text(diagnostics, texts, wants_color(sys.stderr))
    if text:
        write_painted(sys.stderr, text + "\n")
