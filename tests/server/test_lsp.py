"""The language server over its protocol: one session in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

from compiler.spec.shipped import shipped_spec

NET = """network: net
input: {image: [3, 32, 32]}
params: {width: 16}
blocks:
  pair:
    doc: two of them
    layers: [{conv: 3x3, filters: 8}, relu]
layers:
  - {conv: 3x3, filters: width, stride: 2, name: stem}
  - {block: pair, label: é}
  - {concat: [stem, pair], name: both}
"""
WRONG = NET.replace("stride: 2", "strides:   2")
WHOLE = lsp.Range(lsp.Position(0, 0), lsp.Position(99, 0))


@dataclass
class Editor:
    """An editor with one file open."""

    client: LanguageClient
    uri: str
    version: int = 0
    found: asyncio.Queue[lsp.PublishDiagnosticsParams] = field(default_factory=asyncio.Queue)

    async def write(self, text: str) -> list[lsp.Diagnostic]:
        """Open the file with a text, or change it, and return the findings."""
        self.version += 1
        if self.version == 1:
            item = lsp.TextDocumentItem(self.uri, "yaml", 1, text)
            self.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        else:
            document = lsp.VersionedTextDocumentIdentifier(self.version, self.uri)
            change = lsp.TextDocumentContentChangeWholeDocument(text)
            params = lsp.DidChangeTextDocumentParams(document, [change])
            self.client.text_document_did_change(params)
        return list((await self.found.get()).diagnostics)


async def look_at(editor: Editor) -> dict[str, Any]:
    """Return what the server answers of a right text, of a wrong one, and while one types."""
    client, document = editor.client, lsp.TextDocumentIdentifier(editor.uri)

    async def leads_to(line: int, character: int) -> int:
        params = lsp.DefinitionParams(document, lsp.Position(line, character))
        location = await client.text_document_definition_async(params)
        assert isinstance(location, lsp.Location)
        assert location.uri == editor.uri
        return location.range.start.line

    async def asked(line: int, character: int) -> object:
        params = lsp.PrepareRenameParams(document, lsp.Position(line, character))
        return await client.text_document_prepare_rename_async(params)

    line = lsp.Range(lsp.Position(8, 0), lsp.Position(8, 0))
    fixes = lsp.CodeActionParams(document, line, lsp.CodeActionContext([]))
    typed = lsp.CompletionParams(document, lsp.Position(9, 12))
    refers = lsp.ReferenceParams(lsp.ReferenceContext(True), document, lsp.Position(10, 14))
    renames = lsp.RenameParams(document, lsp.Position(10, 14), "trunk")
    refused = lsp.RenameParams(document, lsp.Position(10, 14), "pair")
    spaces = lsp.DocumentFormattingParams(document, lsp.FormattingOptions(2, True))
    under = lsp.HoverParams(document, lsp.Position(9, 8))
    return {
        "right": await editor.write(NET),
        "hints": await client.text_document_inlay_hint_async(lsp.InlayHintParams(document, WHOLE)),
        "hover": await client.text_document_hover_async(under),
        "places": [await leads_to(9, 12), await leads_to(8, 26), await leads_to(10, 15)],
        "wrong": await editor.write(WRONG),
        "fixes": await client.text_document_code_action_async(fixes),
        "spaces": await client.text_document_formatting_async(spaces),
        "half": await editor.write(NET + "  - {conv: 3x3"),
        "typed": await client.text_document_completion_async(typed),
        "again": await editor.write(NET),
        "refers": await client.text_document_references_async(refers),
        "asked": [await asked(8, 51), await asked(8, 36)],
        "renames": await client.text_document_rename_async(renames),
        "refused": await client.text_document_rename_async(refused),
    }


async def session(file: Path) -> dict[str, Any]:
    """Start a server as an editor does, and stop it."""
    client = LanguageClient("test", "1")
    editor = Editor(client, file.as_uri())

    def published(params: lsp.PublishDiagnosticsParams) -> None:
        editor.found.put_nowait(params)

    client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(published)
    shown: list[str] = []

    def told(params: lsp.ShowMessageParams) -> None:
        shown.append(params.message)

    client.feature(lsp.WINDOW_SHOW_MESSAGE)(told)
    await client.start_io(sys.executable, "-m", "compiler", "lsp")
    await client.initialize_async(lsp.InitializeParams(lsp.ClientCapabilities()))
    out = await look_at(editor)
    out["shown"] = shown
    path = shipped_spec("inception_v4")
    assert path is not None
    shipped = Editor(client, path.as_uri(), found=editor.found)
    out["times"] = [await timed(shipped, f"{path.read_text()}# {i}\n") for i in range(5)]
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()  # type: ignore[no-untyped-call]
    return out


async def timed(editor: Editor, text: str) -> float:
    """Return the seconds from a change to its findings."""
    start = asyncio.get_running_loop().time()
    await editor.write(text)
    return asyncio.get_running_loop().time() - start


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Give what the server answered in one session."""
    file = tmp_path_factory.mktemp("lsp") / "net.yaml"
    file.write_text("network: another\n", encoding="utf-8")  # what counts is the editor's text
    return asyncio.run(asyncio.wait_for(session(file), 120))


def test_findings_come_and_go_while_one_types(said: dict[str, Any]) -> None:
    assert (said["right"], said["again"]) == ([], [])
    (wrong,) = said["wrong"]
    assert (wrong.code, wrong.range.start) == ("unknown-field", lsp.Position(8, 32))
    assert wrong.severity == lsp.DiagnosticSeverity.Error
    assert wrong.message.startswith("`conv` has no key `strides` (did you mean `stride`?)\nhelp: ")
    assert [d.code for d in said["half"]] == ["yaml-syntax"]


def test_sizes_stand_at_line_ends(said: dict[str, Any]) -> None:
    hints = [(h.position.line, h.position.character, h.label) for h in said["hints"]]
    assert hints == [
        (6, 43, "16x16x8"), (8, 54, "16x16x16"), (9, 27, "16x16x8"), (10, 38, "16x16x24"),
    ]  # fmt: skip


def test_a_layer_is_said_under_the_pointer(said: dict[str, Any]) -> None:
    assert said["hover"].contents.value == (
        "**é** `pair`\n\n16x16x16 → **16x16x8**\n\n1,160 parameters, 294,912 MACs\n\ntwo of them"
    )


def test_a_word_leads_to_its_definition(said: dict[str, Any]) -> None:
    block, parameter, layer = said["places"]
    assert (block, parameter, layer) == (4, 2, 8)


def test_a_misspelt_word_is_mended(said: dict[str, Any]) -> None:
    (action,) = said["fixes"]
    ((edit,),) = action.edit.changes.values()
    assert (action.title, edit.new_text, action.is_preferred) == ("Write `stride`", "stride", True)
    assert edit.range == lsp.Range(lsp.Position(8, 32), lsp.Position(8, 39))


def test_names_are_offered_though_the_file_is_half_typed(said: dict[str, Any]) -> None:
    assert [(c.label, c.documentation) for c in said["typed"]] == [("pair", "two of them")]


def test_a_name_is_found_and_changed_wherever_it_is(said: dict[str, Any]) -> None:
    """What is on disk is another network: what counts is the editor's text."""
    places = [(r.range.start.line, r.range.start.character) for r in said["refers"]]
    assert places == [(8, 49), (10, 14)]
    ((first, second),) = said["renames"].changes.values()
    assert first.new_text == "  - {conv: 3x3, filters: width, stride: 2, name: trunk}\n"
    assert second.new_text == "  - {concat: [trunk, pair], name: both}\n"
    lines = [(e.range.start, e.range.end) for e in (first, second)]
    assert lines == [(lsp.Position(n, 0), lsp.Position(n + 1, 0)) for n in (8, 10)]


def test_what_is_no_name_is_not_renamed(said: dict[str, Any]) -> None:
    """`stem` of `name: stem` is one, `stride` is a key."""
    assert said["asked"] == [lsp.Range(lsp.Position(8, 49), lsp.Position(8, 53)), None]


def test_a_name_that_would_not_do_is_said(said: dict[str, Any]) -> None:
    assert said["refused"] is None
    (message,) = said["shown"]
    assert message.startswith("`pair` would not do: ")
    assert message.endswith(
        "net.yaml:10:5: two layers are called `pair` "
        "(one of them is the name that a layer gets when it is given none)"
    )


def test_spaces_are_set_in_order(said: dict[str, Any]) -> None:
    (edit,) = said["spaces"]
    assert edit.new_text == NET.replace("stride: 2", "strides: 2")


def test_a_shipped_network_is_answered_soon(said: dict[str, Any]) -> None:
    """A hang is found; how fast it is says docs/ARCHITECTURE.md."""
    assert sorted(said["times"])[2] < 5
