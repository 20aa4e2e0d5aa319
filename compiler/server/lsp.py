"""The language server: the protocol of editors around `analysis`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import SequenceMatcher
from typing import TypeVar

from lsprotocol import types as lsp
from pygls.protocol import LanguageServerProtocol
from pygls.uris import to_fs_path

from compiler.edit.format import format_text
from compiler.edit.rename import find_places, rename
from compiler.edit.span_edits import SourceFile, slice_of
from compiler.errors import CompileError, Diagnostic, Span, UsageError, is_slip, suggestion_of
from compiler.server.analysis import Analysis, real
from compiler.server.completion import completions
from compiler.server.documents import (
    Server,
    diagnostic,
    place_of,
    position_of,
    range_of,
    same_file,
    uri_of,
)

T = TypeVar("T")


def written(
    ls: Server,
    params: lsp.DidOpenTextDocumentParams
    | lsp.DidChangeTextDocumentParams
    | lsp.DidSaveTextDocumentParams,
) -> None:
    """Send the findings of a file that is opened or saved, and while one types."""
    ls.publish(params.text_document.uri)
    ls.publish_readers(params.text_document.uri)


def closed(ls: Server, params: lsp.DidCloseTextDocumentParams) -> None:
    """Forget a file: what is on disk counts again."""
    ls.forget(params.text_document.uri)
    ls.publish_readers(params.text_document.uri)


def hints(ls: Server, params: lsp.InlayHintParams) -> list[lsp.InlayHint]:
    """Return the sizes at the ends of lines."""
    analysis = ls.analysis(params.text_document.uri)
    first, last = params.range.start.line, params.range.end.line
    lines = analysis.texts.get(analysis.file, "").splitlines()
    return [
        lsp.InlayHint(position_of(lines, h.line, h.column), h.text, padding_left=True)
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


def renamed(ls: Server, params: lsp.PrepareRenameParams) -> lsp.Range | None:
    """Return the place of the name under the cursor; None where no name is."""
    if _symbol(ls, params) is None:
        return None
    analysis = ls.analysis(params.text_document.uri)
    line, column = place_of(params.position, analysis)
    word = analysis.word_at(line, column)
    end = word.begin + len(word.text.rpartition(".")[2])
    return range_of(Span(analysis.file, line, word.begin, line, end), analysis)


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
    ls: Server, params: lsp.ReferenceParams | lsp.PrepareRenameParams | lsp.RenameParams
) -> tuple[str, str, str] | None:
    """Return the file, name and kind that a request is about."""
    uri = params.text_document.uri
    analysis = ls.analysis(uri)
    symbol = analysis.symbol_at(*place_of(params.position, analysis))
    spec = analysis.network or to_fs_path(uri) or ""
    return (spec, *symbol) if symbol else None


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
    lsp.TEXT_DOCUMENT_DID_OPEN: written,
    lsp.TEXT_DOCUMENT_DID_SAVE: written,
    lsp.TEXT_DOCUMENT_DID_CHANGE: written,
    lsp.TEXT_DOCUMENT_DID_CLOSE: closed,
    lsp.TEXT_DOCUMENT_INLAY_HINT: hints,
    lsp.TEXT_DOCUMENT_HOVER: hover,
    lsp.TEXT_DOCUMENT_DEFINITION: definition,
    lsp.TEXT_DOCUMENT_COMPLETION: completion,
    lsp.TEXT_DOCUMENT_REFERENCES: references,
    lsp.TEXT_DOCUMENT_PREPARE_RENAME: renamed,
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
