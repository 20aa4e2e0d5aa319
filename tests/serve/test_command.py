"""The command: its port, its end, and what it says where it cannot begin."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from compiler.cli.main import main
from tests.serve.client import watching

NET = "network: net\ninput: {image: [3, 8, 8]}\nlayers: [{conv: 3x3, filters: 4}]\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(NET, encoding="utf-8")
    return tmp_path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def test_it_serves_on_a_port_that_is_given_and_ends_with_ctrl_c(folder: Path) -> None:
    port = free_port()
    with watching(folder, "net.yaml", "--port", str(port)) as client:
        assert client.port == port
        assert client.end() == 0
        assert client.process.communicate()[1] == "net.yaml: net, 2 operations: ok\n"


def test_it_opens_the_browser_where_it_is_told_to(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []

    def serve(hands: object, listening: socket.socket, depth: int) -> None:
        listening.close()
        raise KeyboardInterrupt

    monkeypatch.setattr("viz.serve.serve", serve)
    monkeypatch.setattr("webbrowser.open", opened.append)
    port = free_port()
    assert main(["watch", "net.yaml", "--port", str(port), "--open"]) == 0
    assert opened == [f"http://127.0.0.1:{port}/"]
    assert capsys.readouterr().out == (
        f"watching net.yaml at http://127.0.0.1:{port}/ (Ctrl-C ends it)\n"
    )


def test_a_port_that_is_taken(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["watch", "net.yaml", "--port", str(port)]) == 2
    assert capsys.readouterr().err == (
        f"error: port {port} cannot be had: address already in use; say another one with --port, "
        "or leave it out for a free one\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.yaml"], "there is no spec nothing.yaml"),
        (["net.yaml", "--set", "width=3"], "net has no parameter `width`; it has no parameters"),
    ],
)
def test_what_cannot_be_watched(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["watch", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message.partition(';')[0]}")


def test_a_file_that_is_no_network_yet_is_waited_for(folder: Path) -> None:
    Path("net.yaml").write_text("network: [", encoding="utf-8")
    with watching(folder, "net.yaml") as client:
        page = client.request("GET", "/")[1].decode()
        assert "<h1>Waiting for a network</h1>" in page
        before = len(client.news)
        Path("net.yaml").write_text(NET, encoding="utf-8")
        client.await_news(before)
        assert "<title>net</title>" in client.request("GET", "/")[1].decode()
