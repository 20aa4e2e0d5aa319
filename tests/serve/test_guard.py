"""Who is answered: pages of this server, and nobody else; and what: six addresses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.serve.client import Client

NAMES = ("program", "values", "write", "undo", "redo")
ASKED = json.dumps({"key": "param:width", "text": "99"}).encode()


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}"])
def test_this_machine_s_own_names_are_answered(client: Client, host: str) -> None:
    response, data = client.request("GET", "/", Host=host.format(port=client.port))
    assert response.status == 200
    assert b"<!DOCTYPE html>" in data


@pytest.mark.parametrize(
    "host",
    ["rebound.example", "rebound.example:{port}", "127.0.0.1.rebound.example", "192.168.0.2"],
)
@pytest.mark.parametrize("path", ["/", "/events"])
def test_another_host_is_refused(client: Client, host: str, path: str) -> None:
    host = host.format(port=client.port)
    response, data = client.request("GET", path, Host=host)
    words = f"the host `{host}` is not this machine's own address\n"
    assert (response.status, data.decode()) == (403, words)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("origin", ["http://elsewhere.example", "null", "http://127.0.0.1:1", ""])
def test_a_page_elsewhere_posts_nothing(client: Client, name: str, origin: str) -> None:
    response, data = client.request("POST", f"/{name}", ASKED, Origin=origin)
    words = f"the origin `{origin}` is no page of this server\n"
    assert (response.status, data.decode()) == (403, words)


def test_a_page_elsewhere_hears_nothing(client: Client) -> None:
    response, _ = client.request("GET", "/events", Origin="http://elsewhere.example")
    assert response.status == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_form_posts_nothing(client: Client, kind: str) -> None:
    response, _ = client.request("POST", "/write", ASKED, Content_Type=kind)
    assert response.status == 415


@pytest.mark.parametrize(
    "path", ["/net.yaml", "/../net.yaml", "/%2e%2e/etc/passwd", "/static", "/program/", "/docs"]
)
def test_nothing_else_is_served(client: Client, path: str) -> None:
    response, data = client.request("GET", path)
    assert response.status in (404, 405, 307)
    assert b"network" not in data


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "the request is no JSON"),
        (b"[" * 100_000, 400, "the request is no JSON"),
        (b"[]", 400, "the request is no JSON object"),
        (b'{"values": [1]}', 400, "`values` is no mapping of texts"),
        (b'{"values": {"param:width": 3}}', 400, "`values` is no mapping of texts"),
        (b" " * 300_000, 413, "send at most 262,144 bytes"),
    ],
)
def test_a_request_that_is_none_is_refused(
    client: Client, body: bytes, status: int, words: str
) -> None:
    response, data = client.request("POST", "/program", body)
    assert (response.status, data.decode()) == (status, words)


def test_the_page_may_talk_to_its_server_alone(client: Client) -> None:
    response, data = client.request("GET", "/")
    page = data.decode()
    assert "default-src 'none'; script-src 'sha256-" in page
    assert page.count("connect-src 'self';") == 1
    assert response.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response.headers["Access-Control-Allow-Origin"] is None


def test_it_is_of_this_machine_alone(client: Client) -> None:
    """No other address of this machine listens on the port."""
    ports = [
        line.split()[1]
        for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{client.port:04X}")
    ]
    assert ports == [f"0100007F:{client.port:04X}"]
