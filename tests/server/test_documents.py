"""Files that are open together: what is found in one is of the others' texts too."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types as lsp

from compiler.server.documents import Server

NET = (
    "network: net\nimport: [library.yaml]\ninput: {image: [3, 8, 8]}\n"
    "layers: [{block: pair}, relu]\n"
)
LIBRARY = "blocks:\n  pair:\n    layers: [{conv: 3x3, filters: 8}, relu]\n"
WRONG = LIBRARY.replace("filters", "filtres")


class Editor(Server):
    """The server with an editor that has files open in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.texts: dict[str, str] = {}
        self.sent: dict[str, list[str | int | None]] = {}
        """Name of a file -> the codes of what is wrong with it."""

    def unsaved(self) -> dict[str, str]:
        return {str(self.folder.resolve() / name): text for name, text in self.texts.items()}

    def text_document_publish_diagnostics(self, params: lsp.PublishDiagnosticsParams) -> None:
        self.sent[params.uri.rpartition("/")[2]] = [found.code for found in params.diagnostics]

    def write(self, name: str, text: str) -> None:
        self.texts[name] = text
        self.publish(uri := (self.folder / name).as_uri())
        self.publish_readers(uri)

    def close(self, name: str) -> None:
        del self.texts[name]
        self.forget(uri := (self.folder / name).as_uri())
        self.publish_readers(uri)


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    (tmp_path / "library.yaml").write_text(LIBRARY, encoding="utf-8")
    out = Editor(tmp_path)
    out.write("net.yaml", NET)
    assert out.sent == {"net.yaml": []}
    return out


def test_a_library_that_changes_is_read_anew(editor: Editor) -> None:
    editor.write("library.yaml", LIBRARY.replace("pair", "couple"))
    assert editor.sent == {"net.yaml": ["unknown-block"], "library.yaml": []}
    editor.write("library.yaml", LIBRARY)
    assert editor.sent == {"net.yaml": [], "library.yaml": []}


def test_what_two_files_find_in_a_third_is_said_once(editor: Editor) -> None:
    editor.write("library.yaml", WRONG)
    assert editor.sent["library.yaml"] == ["unknown-field"]
    editor.write("other.yaml", NET)
    assert editor.sent["library.yaml"] == ["unknown-field"]
    editor.close("other.yaml")
    assert editor.sent["library.yaml"] == ["unknown-field"]
    editor.write("library.yaml", LIBRARY)
    assert editor.sent["library.yaml"] == []


def test_a_library_has_the_sizes_of_an_open_network(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "library.yaml").as_uri()
    assert [hint.text for hint in editor.analysis(uri).hints()] == ["8x8x8"]
    editor.write("net.yaml", NET.replace("[3, 8, 8]", "[3, 16, 16]"))
    found = editor.analysis(uri)
    assert [hint.text for hint in found.hints()] == ["16x16x8"]
    hover = found.hover(3, 16)
    assert hover is not None
    assert hover.text == (  # 3 * 3 * 3 * 8 weights and 8 biases, at 16 * 16 places
        "**3x3 Conv (8 Linear)** `pair.conv_3x3`\n\n16x16x3 → **16x16x8**\n\n"
        "224 parameters, 55,296 MACs"
    )
    assert found.symbol_at(2, 4) == ("pair", "block")
    assert Path(found.network).name == "net.yaml"
    editor.close("net.yaml")
    assert editor.analysis(uri).hints() == ()


def test_what_is_closed_unsaved_is_as_on_disk(editor: Editor) -> None:
    editor.write("library.yaml", WRONG)
    editor.close("library.yaml")
    assert editor.sent == {"net.yaml": [], "library.yaml": []}


def test_a_file_that_is_missed_is_found_when_it_comes(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "library.yaml").unlink()
    editor.write("net.yaml", NET)
    assert editor.sent["net.yaml"] != []
    (tmp_path / "library.yaml").write_text(LIBRARY, encoding="utf-8")
    editor.write("library.yaml", LIBRARY)
    assert editor.sent == {"net.yaml": [], "library.yaml": []}
