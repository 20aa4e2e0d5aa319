"""The files that an editor has open: what was made of each, and the findings that it was sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol
from pygls.uris import from_fs_path, to_fs_path

from compiler import VERSION
from compiler.errors import Diagnostic, Span
from compiler.graph import Graph
from compiler.server.analysis import Analysis, analyse, real

SEVERITY = {
    "error": lsp.DiagnosticSeverity.Error,
    "warning": lsp.DiagnosticSeverity.Warning,
}


class Server(LanguageServer):
    """Keeps the texts of open files and what was last made of each."""

    def __init__(self, protocol: type[LanguageServerProtocol] = LanguageServerProtocol) -> None:
        super().__init__("netdraft", VERSION, protocol_cls=protocol)
        self.known: dict[str, Analysis] = {}
        """URI -> what its text comes to."""
        self.drafts: dict[str, Graph] = {}
        """URI -> the last network that its text was."""
        self.told: dict[str, dict[str, list[lsp.Diagnostic]]] = {}
        """URI -> the findings that its analysis came to, by the URI of the file they are in."""

    def unsaved(self) -> dict[str, str]:
        """Return the texts of all open files."""
        documents = self.workspace.text_documents.values()
        return {real(d.path): d.source for d in documents}

    def analyse(self, uri: str) -> Analysis:
        """Return what the text of a file comes to, as it is now."""
        path = to_fs_path(uri) or ""
        found = self.known[uri] = analyse(path, self.unsaved())
        if found.graph is not None:
            self.drafts[uri] = found.graph
        return found

    def analysis(self, uri: str) -> Analysis:
        """Return what the text of a file came to last; a library is of an open network."""
        found = self.known[uri] if uri in self.known else self.analyse(uri)
        file = real(to_fs_path(uri) or "")
        for reader in self.known.values() if found.graph is None else ():
            if reader.graph is not None and file in reader.reads:
                return replace(found, graph=reader.graph, network=reader.file)
        return found

    def publish(self, uri: str) -> None:
        """Send the findings of a file, and of what it reads."""
        found = self.analyse(uri)
        by_uri: dict[str, list[lsp.Diagnostic]] = {uri: []}
        for each in found.diagnostics:
            target = uri_of(each.span.file)
            target = uri if same_file(target, uri) else target
            by_uri.setdefault(target, []).append(diagnostic(each, found))
        self._tell(uri, by_uri)

    def publish_readers(self, uri: str) -> None:
        """Send anew the findings of the open files that read a file, or would if it were there."""
        file = real(to_fs_path(uri) or "")
        for other, found in [*self.known.items()]:
            if other != uri and file in found.reads:
                self.publish(other)

    def forget(self, uri: str) -> None:
        """Take back the findings of a file that is closed."""
        self.known.pop(uri, None)
        self.drafts.pop(uri, None)
        self._tell(uri, {})

    def _tell(self, uri: str, found: dict[str, list[lsp.Diagnostic]]) -> None:
        """Send what is found in each file that these findings, or those before them, are in."""
        before = self.told.pop(uri, {})
        if found:
            self.told[uri] = found
        for target in {**before, **found}:
            sent: list[lsp.Diagnostic] = []
            for by_uri in self.told.values():  # two files that read a third say the same of it
                sent += [each for each in by_uri.get(target, ()) if each not in sent]
            self.text_document_publish_diagnostics(
                lsp.PublishDiagnosticsParams(uri=target, diagnostics=sent)
            )


def uri_of(file: str) -> str:
    """Return the URI of a file as spans name it."""
    return from_fs_path(str(Path(file).absolute())) or ""


def same_file(one: str, other: str) -> bool:
    """True for two URIs of one file."""
    return real(to_fs_path(one) or "") == real(to_fs_path(other) or "")


def range_of(span: Span, texts: Analysis) -> lsp.Range:
    """Return a span as the protocol counts: from 0, in units of UTF-16."""
    lines = texts.texts.get(span.file, "").splitlines()
    end_line = span.end_line or span.line
    end_column = span.end_column or span.column + 1
    return lsp.Range(
        position_of(lines, span.line, span.column), position_of(lines, end_line, end_column)
    )


def position_of(lines: Sequence[str], line: int, column: int) -> lsp.Position:
    """Return a place of a file's lines as the protocol counts."""
    text = lines[line - 1][: column - 1] if 0 < line <= len(lines) else ""
    return lsp.Position(max(line - 1, 0), len(text.encode("utf-16-le")) // 2)


def place_of(position: lsp.Position, analysis: Analysis) -> tuple[int, int]:
    """Return line and column, from 1, of a position in the file."""
    lines = analysis.texts.get(analysis.file, "").splitlines()
    text = lines[position.line] if position.line < len(lines) else ""
    before = text.encode("utf-16-le")[: 2 * position.character].decode("utf-16-le", "ignore")
    return position.line + 1, len(before) + 1


def diagnostic(found: Diagnostic, analysis: Analysis) -> lsp.Diagnostic:
    """Return a finding in the words of the protocol: help and notes below the sentence."""
    more = [*found.notes, *([f"help: {found.help}"] if found.help else [])]
    related = [
        lsp.DiagnosticRelatedInformation(
            lsp.Location(uri_of(r.span.file), range_of(r.span, analysis)), r.text
        )
        for r in found.remarks
    ]
    return lsp.Diagnostic(
        range=range_of(found.span, analysis),
        message="\n".join([found.message, *more]),
        severity=SEVERITY[found.severity],
        code=found.code,
        source="netdraft",
        related_information=related,
    )
