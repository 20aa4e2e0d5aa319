"""The language server at a websocket: who may connect, and what connections know of each other."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from socket import create_server
from typing import Any

import pytest

from compiler.cli.main import main

LONG_S = 30
PAGE = "http://localhost:8000"
NET = "network: net\ninput: {image: [3, 8, 8]}\nlayers: [{conv: 3x3, filtres: 4}]\n"
pytest.importorskip("websockets", reason="websockets is not here: netdraft[lsp]")


class Editor:
    """An editor at the socket of a server, such as a page."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.count = 0

    def tell(self, method: str, **params: Any) -> None:
        self.socket.send(json.dumps({"jsonrpc": "2.0", "method": method, "params": params}))

    def ask(self, method: str, **params: Any) -> Any:
        self.count += 1
        asked = {"jsonrpc": "2.0", "id": self.count, "method": method, "params": params}
        self.socket.send(json.dumps(asked))
        while (answer := self.hear()).get("id") != self.count:
            pass
        return answer["result"]

    def hear(self) -> dict[str, Any]:
        message = self.socket.recv(LONG_S)
        assert isinstance(message, str)  # a page parses text
        out: dict[str, Any] = json.loads(message)
        return out

    def begin(self) -> None:
        self.ask("initialize", processId=None, rootUri=None, capabilities={})
        self.tell("initialized")

    def findings(self, uri: str, text: str) -> list[str]:
        """Open a file and return the codes of what is wrong with it."""
        item = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", textDocument=item)
        while (message := self.hear()).get("method") != "textDocument/publishDiagnostics":
            pass
        return [found["code"] for found in message["params"]["diagnostics"]]

    def leave(self) -> None:
        self.ask("shutdown")
        self.tell("exit")


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run `netdraft lsp --ws 0`; give the process and its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "compiler", "lsp", "--ws", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(
            r"language server at ws://127\.0\.0\.1:(\d+)/ \(Ctrl-C ends it\)\n", line
        )
        assert found, process.communicate()[1]
        yield process, int(found[1])
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving("--origin", f"{PAGE}/") as (_, found):
        yield found


@pytest.fixture
def editor(port: int) -> Iterator[Callable[[], Editor]]:
    from websockets.sync.client import connect

    with ExitStack() as stack:

        def connected() -> Editor:
            url = f"ws://127.0.0.1:{port}/"
            out = Editor(stack.enter_context(connect(url, proxy=None, open_timeout=LONG_S)))
            out.begin()
            return out

        yield connected


def answer(port: int, **headers: str) -> tuple[int, str]:
    """Return status and words of an answer to a request that is no handshake yet."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=LONG_S)) as connection:
        connection.request("GET", "/", headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()


def test_it_speaks_the_protocol(editor: Callable[[], Editor], tmp_path: Path) -> None:
    uri = (tmp_path / "net.yaml").as_uri()
    assert editor().findings(uri, NET) == ["unknown-field"]


def test_each_connection_has_files_of_its_own(editor: Callable[[], Editor], tmp_path: Path) -> None:
    one, other = editor(), editor()
    uri = (tmp_path / "net.yaml").as_uri()
    assert one.findings(uri, NET) == ["unknown-field"]
    assert other.findings(uri, NET.replace("filtres", "filters")) == []


def test_who_leaves_ends_its_own_connection_alone(
    editor: Callable[[], Editor], tmp_path: Path
) -> None:
    from websockets.exceptions import ConnectionClosedOK

    stays, leaves = editor(), editor()
    leaves.leave()
    with pytest.raises(ConnectionClosedOK):
        leaves.hear()
    assert stays.findings((tmp_path / "net.yaml").as_uri(), NET) == ["unknown-field"]
    assert editor().ask("shutdown") is None


@pytest.mark.parametrize("origin", [None, PAGE, "http://127.0.0.1:{port}"])
def test_who_may_connect(port: int, origin: str | None) -> None:
    """An editor that is no page says no origin; 426: a handshake would be answered."""
    headers = {} if origin is None else {"Origin": origin.format(port=port)}
    assert answer(port, **headers)[0] == 426


@pytest.mark.parametrize(
    "origin",
    ["http://elsewhere.example", "null", "http://127.0.0.1:1", "http://localhost:80", "", "*",
     "https://localhost:8000", "http://localhost:8000.elsewhere.example"],
)  # fmt: skip
def test_a_page_elsewhere_is_refused(port: int, origin: str) -> None:
    words = f"the origin `{origin}` is no page of this server\n"
    assert answer(port, Origin=origin) == (403, words)


def test_a_name_that_leads_here_is_refused(port: int) -> None:
    host = f"rebound.example:{port}"
    words = f"the host `{host}` is not this machine's own address\n"
    assert answer(port, Host=host, Origin=f"http://{host}") == (403, words)


def test_it_is_of_this_machine_alone(port: int) -> None:
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    ports = [
        line.split()[1]
        for line in lines
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{port:04X}")
    ]
    assert ports == [f"0100007F:{port:04X}"]


def test_ctrl_c_ends_it_and_who_was_refused_is_said() -> None:
    with serving() as (process, port):
        assert answer(port, Origin=PAGE)[0] == 403
        process.send_signal(signal.SIGINT)
        assert process.wait(LONG_S) == 0
        assert process.communicate()[1] == (
            f"refused: the origin `{PAGE}` is no page of this server; "
            "--origin names the pages that may connect\n"
        )


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["lsp", "--ws", str(port)]) == 2
    assert capsys.readouterr().err == (
        f"error: port {port} cannot be had: address already in use; say another one with --ws, "
        "0 for a free one\n"
    )


ORIGIN = "write scheme, host and port, as http://localhost:8000"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--origin", PAGE],
            "--origin says who may connect to a websocket: say its port with --ws",
        ),
        *((["--ws", "0", "--origin", o], f"--origin {o}: {ORIGIN}")
          for o in ("*", "null", "localhost:8000", f"{PAGE}/page", "file:///page.html")),
    ],
)  # fmt: skip
def test_what_is_asked_wrongly(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lsp", *arguments]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
