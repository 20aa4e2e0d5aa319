"""The language server: the protocol of editors around `analysis`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import TypeVar

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol
from pygls.uris import from_fs_path, to_fs_path

from compiler.edit.format import format_text
from compiler.edit.rename import find_places, rename
from compiler.edit.span_edits import SourceFile, slice_of
from compiler.errors import CompileError, Diagnostic, Span, UsageError, is_slip, suggestion_of
from compiler.graph import Graph
from compiler.server.analysis import Analysis, analyse, real
from compiler.server.completion import completions
from compiler.version import VERSION

T = TypeVar("T")
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
        self.told: dict[str, set[str]] = {}
        """URI -> the URIs that findings were sent of."""

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
        """Return what the text of a file came to last."""
        return self.known[uri] if uri in self.known else self.analyse(uri)

    def publish(self, uri: str) -> None:
        """Send the findings of a file, and of what it reads; take back those sent before."""
        found = self.analyse(uri)
        by_uri: dict[str, list[lsp.Diagnostic]] = {uri: []}
        for each in found.diagnostics:
            target = uri_of(each.span.file)
            target = uri if same_file(target, uri) else target
            by_uri.setdefault(target, []).append(diagnostic(each, found))
        for target in self.told.get(uri, set()) - by_uri.keys():
            by_uri[target] = []
        self.told[uri] = {target for target, sent in by_uri.items() if sent}
        for target, sent in by_uri.items():
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
        _position(lines, span.line, span.column), _position(lines, end_line, end_column)
    )


def _position(lines: Sequence[str], line: int, column: int) -> lsp.Position:
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


# -- requests ------------------------------------------------------------------------------------


def opened(
    ls: Server, params: lsp.DidOpenTextDocumentParams | lsp.DidSaveTextDocumentParams
) -> None:
    """Send the findings of a file that is opened or saved."""
    ls.publish(params.text_document.uri)


def changed(ls: Server, params: lsp.DidChangeTextDocumentParams) -> None:
    """Send the findings of a file while one types."""
    ls.publish(params.text_document.uri)


def closed(ls: Server, params: lsp.DidCloseTextDocumentParams) -> None:
    """Forget a file."""
    ls.known.pop(params.text_document.uri, None)
    ls.drafts.pop(params.text_document.uri, None)


def hints(ls: Server, params: lsp.InlayHintParams) -> list[lsp.InlayHint]:
    """Return the sizes at the ends of lines."""
    analysis = ls.analysis(params.text_document.uri)
    first, last = params.range.start.line, params.range.end.line
    lines = analysis.texts.get(analysis.file, "").splitlines()
    return [
        lsp.InlayHint(_position(lines, h.line, h.column), h.text, padding_left=True)
        for h in analysis.hints()
        if first <= h.line - 1 <= last
    ]


def hover(ls: Server, params: lsp.HoverParams) -> lsp.Hover | None:
    """Return what the layer under the pointer is."""
    analysis = ls.analysis(params.text_document.uri)
    found = analysis.hover(*place_of(params.position, analysis))
    if found is None:
        return None
    text = lsp.MarkupContent(lsp.MarkupKind.Markdown, found.text)
    return lsp.Hover(text, range_of(found.span, analysis))


def definition(ls: Server, params: lsp.DefinitionParams) -> lsp.Location | None:
    """Return where the word under the cursor is defined."""
    analysis = ls.analysis(params.text_document.uri)
    span = analysis.definition(*place_of(params.position, analysis))
    return lsp.Location(uri_of(span.file), range_of(span, analysis)) if span else None


KINDS = {
    "op": lsp.CompletionItemKind.Function,
    "key": lsp.CompletionItemKind.Property,
    "value": lsp.CompletionItemKind.Value,
    "parameter": lsp.CompletionItemKind.Variable,
    "block": lsp.CompletionItemKind.Class,
    "tensor": lsp.CompletionItemKind.Field,
    "network": lsp.CompletionItemKind.Module,
}


def completion(ls: Server, params: lsp.CompletionParams) -> list[lsp.CompletionItem]:
    """Return what can be typed; names are of the last text that was a network."""
    uri = params.text_document.uri
    analysis = ls.analysis(uri)
    document = ls.workspace.get_text_document(uri)
    lines = document.source.splitlines()
    row = params.position.line
    text = lines[row] if row < len(lines) else ""
    before = text.encode("utf-16-le")[: 2 * params.position.character].decode("utf-16-le", "ignore")
    graph = analysis.graph or ls.drafts.get(uri)
    return [
        lsp.CompletionItem(
            label=found.text,
            kind=KINDS[found.kind],
            documentation=found.doc or None,
            insert_text=found.insert or found.text,
            sort_text=f"{place:04}",
        )
        for place, found in enumerate(completions(document.source, row + 1, len(before) + 1, graph))
    ]


def references(ls: Server, params: lsp.ReferenceParams) -> list[lsp.Location]:
    """Return every place that speaks of the name under the cursor."""
    symbol = _symbol(ls, params)
    spans = symbol and _asked(ls, lambda: find_places(*symbol, ls.unsaved()))
    texts = ls.analysis(params.text_document.uri)
    return [lsp.Location(uri_of(span.file), range_of(span, texts)) for span in spans or ()]


def renaming(ls: Server, params: lsp.RenameParams) -> lsp.WorkspaceEdit | None:
    """Return the edits that give the name under the cursor another one."""
    symbol, own, unsaved = _symbol(ls, params), params.text_document.uri, ls.unsaved()
    if symbol is None:
        return None
    spec, name, kind = symbol
    found = _asked(ls, lambda: rename(spec, name, params.new_name, kind, unsaved=unsaved))
    if found is None:
        return None
    changes = {}
    for path, text in found.files.items():
        uri, before = uri_of(str(path)), unsaved.get(real(str(path)))
        before = SourceFile.read(path).text if before is None else before
        changes[own if same_file(uri, own) else uri] = _edits(before, text)
    return lsp.WorkspaceEdit(changes=changes)


def _edits(before: str, after: str) -> list[lsp.TextEdit]:
    """Return the edits of the lines that differ: what an editor keeps of the others stays."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    matched = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [
        lsp.TextEdit(lsp.Range(lsp.Position(a, 0), lsp.Position(b, 0)), "".join(new[c:d]))
        for kind, a, b, c, d in matched
        if kind != "equal"
    ]


def _symbol(
    ls: Server, params: lsp.ReferenceParams | lsp.RenameParams
) -> tuple[str, str, str] | None:
    """Return the file, name and kind that a request is about."""
    uri = params.text_document.uri
    analysis = ls.analysis(uri)
    symbol = analysis.symbol_at(*place_of(params.position, analysis))
    return (to_fs_path(uri) or "", *symbol) if symbol else None


def _asked(ls: Server, ask: Callable[[], T]) -> T | None:
    """Return an answer; what the compiler refuses the editor is told."""
    try:
        return ask()
    except (CompileError, UsageError) as error:
        message = str(error).splitlines()[0]
        ls.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Warning, message))
        return None


def formatting(ls: Server, params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit] | None:
    """Return the edit that sets spaces in order; none for what is no YAML."""
    document = ls.workspace.get_text_document(params.text_document.uri)
    try:
        text = format_text(document.source, document.path)
    except CompileError:
        return None
    if text == document.source:
        return []
    whole = lsp.Range(lsp.Position(0, 0), lsp.Position(len(document.lines) + 1, 0))
    return [lsp.TextEdit(whole, text)]


def actions(ls: Server, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
    """Return the quick fixes of some lines."""
    uri = params.text_document.uri
    analysis = ls.analysis(uri)
    lines = range(params.range.start.line, params.range.end.line + 1)
    return [
        action
        for found in analysis.diagnostics
        if found.span.line - 1 in lines and (action := quick_fix(found, analysis, uri))
    ]


FEATURES: Mapping[str, Callable[..., object]] = {
    lsp.TEXT_DOCUMENT_DID_OPEN: opened,
    lsp.TEXT_DOCUMENT_DID_SAVE: opened,
    lsp.TEXT_DOCUMENT_DID_CHANGE: changed,
    lsp.TEXT_DOCUMENT_DID_CLOSE: closed,
    lsp.TEXT_DOCUMENT_INLAY_HINT: hints,
    lsp.TEXT_DOCUMENT_HOVER: hover,
    lsp.TEXT_DOCUMENT_DEFINITION: definition,
    lsp.TEXT_DOCUMENT_COMPLETION: completion,
    lsp.TEXT_DOCUMENT_REFERENCES: references,
    lsp.TEXT_DOCUMENT_RENAME: renaming,
    lsp.TEXT_DOCUMENT_FORMATTING: formatting,
    lsp.TEXT_DOCUMENT_CODE_ACTION: actions,
}
"""Method of the protocol -> what answers it."""


def make_server(protocol: type[LanguageServerProtocol] = LanguageServerProtocol) -> Server:
    """Return the server of one editor, ready to be started."""
    server = Server(protocol)
    options = {
        lsp.TEXT_DOCUMENT_COMPLETION: lsp.CompletionOptions(trigger_characters=list("{,: ["))
    }
    for method, answer in FEATURES.items():
        server.feature(method, options.get(method))(answer)
    return server


def quick_fix(found: Diagnostic, analysis: Analysis, uri: str) -> lsp.CodeAction | None:
    """Return the edit that a finding asks for, where a word is mistyped."""
    suggested = suggestion_of(found)
    text = analysis.texts.get(found.span.file)
    if suggested is None or text is None or found.span.file != analysis.file:
        return None
    old, new = suggested
    piece = slice_of(text, found.span)
    if piece.count(old) != 1:
        return None
    edit = lsp.TextEdit(range_of(found.span, analysis), piece.replace(old, new))
    return lsp.CodeAction(
        title=f"Write `{new}`",
        kind=lsp.CodeActionKind.QuickFix,
        diagnostics=[diagnostic(found, analysis)],
        edit=lsp.WorkspaceEdit(changes={uri: [edit]}),
        is_preferred=is_slip(old, new),
    )
