"""Speaks with yaml-language-server as an editor does: JSON-RPC over its standard streams."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any

SETTINGS = {
    "yaml": {
        "validate": True,
        "hover": True,
        "completion": True,
        "schemaStore": {"enable": False},
        "kubernetesCRDStore": {"enable": False},
    }
}
"""Nothing is fetched: the schema is the one that the file names."""
CURSOR = "|"
LONGEST_S = 300


@dataclass(slots=True)
class Editor:
    """An editor with one file open at a time, in a folder."""

    command: Sequence[str]
    folder: Path
    process: subprocess.Popen[bytes] = field(init=False)
    clock: Timer = field(init=False)
    count: int = 0
    diagnostics: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.clock = Timer(LONGEST_S, self.process.kill)  # a server that hangs ends the tests
        self.clock.start()
        asked = {"workspace": {"configuration": True}, "textDocument": {"hover": {}}}
        self.ask("initialize", {"processId": None, "rootUri": None, "capabilities": asked})
        self.tell("initialized", {})
        self.tell("workspace/didChangeConfiguration", {"settings": SETTINGS})

    def close(self) -> None:
        """End the server."""
        self.ask("shutdown", None)
        self.tell("exit", None)
        with self.process:  # which waits, and closes the streams
            self.clock.cancel()

    def tell(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def ask(self, method: str, params: Any) -> Any:
        """Send a request and return the answer to it."""
        self.count += 1
        number = self.count
        self._send({"id": number, "method": method, "params": params})
        while (answer := self._receive()).get("id") != number or "method" in answer:
            self._react(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _react(self, message: dict[str, Any]) -> None:
        """Take diagnostics, and answer what the server asks."""
        method = message.get("method")
        if method == "textDocument/publishDiagnostics":
            self.diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "id" in message:
            is_asked = method == "workspace/configuration"
            items = message["params"]["items"] if is_asked else ()
            answers = [SETTINGS.get(item["section"], {}) for item in items]
            self._send({"id": message["id"], "result": answers or None})

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self.process.stdout
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the server has ended"
        out: dict[str, Any] = json.loads(self.process.stdout.read(length))
        return out

    def open(self, text: str, folder: Path | None = None) -> str:
        """Open another file with a text, as if it were in a folder, and return its URI."""
        self.count += 1
        uri = ((folder or self.folder) / f"spec_{self.count}.yaml").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": self.count, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})
        return uri

    def faults(self, text: str, folder: Path | None = None) -> list[tuple[str, str]]:
        """Return (what is underlined, message) of a text, as if it were in a folder."""
        uri = self.open(text, folder)
        while uri not in self.diagnostics:
            self._react(self._receive())
        self._shut(uri)
        lines = text.splitlines()
        return [(_underlined(lines, d["range"]), d["message"]) for d in self.diagnostics[uri]]

    def completions(self, text: str) -> dict[str, dict[str, Any]]:
        """Return label -> what an editor offers where `|` stands in a text."""
        at, uri = self._at_cursor(text)
        found = self.ask("textDocument/completion", {"textDocument": {"uri": uri}, "position": at})
        self._shut(uri)
        items = found["items"] if isinstance(found, dict) else found or []
        return {item["label"]: item for item in items}

    def hover(self, text: str) -> str:
        """Return what an editor shows of the word where `|` stands in a text."""
        at, uri = self._at_cursor(text)
        found = self.ask("textDocument/hover", {"textDocument": {"uri": uri}, "position": at})
        self._shut(uri)
        return str(found["contents"]["value"]) if found else ""

    def _at_cursor(self, text: str) -> tuple[dict[str, int], str]:
        before, _, after = text.partition(CURSOR)
        line = before.count("\n")
        place = {"line": line, "character": len(before) - before.rfind("\n") - 1}
        return place, self.open(before + after)

    def _shut(self, uri: str) -> None:
        self.tell("textDocument/didClose", {"textDocument": {"uri": uri}})


def _underlined(lines: list[str], place: dict[str, dict[str, int]]) -> str:
    start, end = place["start"], place["end"]
    line = lines[start["line"]] if start["line"] < len(lines) else ""
    return line[start["character"] : end["character"] if end["line"] == start["line"] else None]
