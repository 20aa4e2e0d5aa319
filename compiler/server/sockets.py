"""The language server at a websocket of this machine, for editors that are web pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Generator
from contextlib import suppress
from http import HTTPStatus
from socket import socket
from threading import Event
from typing import Any

from lsprotocol import types as lsp
from pygls.io_ import run_websocket
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.language_server import lsp_method
from websockets.asyncio import server as websockets
from websockets.exceptions import ConnectionClosed

from compiler.errors import limit
from compiler.loopback import refusal
from compiler.server.lsp import make_server

ESCAPED = 6
"""Letters that JSON may take for one: `\\u00e9`."""


def serve(listening: socket, pages: Collection[str], tell: Callable[[str], object]) -> None:
    """Serve until Ctrl-C, which is raised then; each connection has a server of its own.

    Args:
        listening: the port.
        pages: origins that may connect, besides the server's own.
        tell: is told why somebody is refused.
    """
    asyncio.run(_serve(listening, pages, tell))


async def _serve(listening: socket, pages: Collection[str], tell: Callable[[str], object]) -> None:
    def refuse(connection: Any, request: Any) -> Any:
        host = ", ".join(request.headers.get_all("Host"))
        origins = request.headers.get_all("Origin")
        complaint = refusal(host, ", ".join(origins) if origins else None, pages)
        if not complaint:
            return None
        tell(complaint)
        return connection.respond(HTTPStatus.FORBIDDEN, f"{complaint}\n")

    async with websockets.serve(
        _converse,
        sock=listening,
        process_request=refuse,
        max_size=ESCAPED * limit("bytes"),
        ping_interval=None,  # while a network is compiled nobody answers
        server_header=None,
    ) as server:
        await server.serve_forever()


class _Protocol(LanguageServerProtocol):
    """Ends the connection when an editor leaves; the program goes on for the others."""

    @lsp_method(lsp.EXIT)
    def lsp_exit(self, *args: object) -> Generator[Any, Any, None]:
        writer: Any = self.writer
        self.closing = asyncio.ensure_future(writer.close())
        yield from ()


class _Text:
    """A connection that sends text, as pages expect it, in the place of bytes."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.recv = connection.recv
        self.close = connection.close

    async def send(self, data: bytes) -> None:
        with suppress(ConnectionClosed):  # an answer to somebody who has left
            await self.connection.send(data, text=True)


async def _converse(connection: Any) -> None:
    server = make_server(_Protocol)
    await run_websocket(
        _Text(connection), Event(), server.protocol, error_handler=server.report_server_error
    )
    server.shutdown()  # type: ignore[no-untyped-call]
