"""The server itself: a socket of the loopback address, until Ctrl-C."""

from __future__ import annotations

import os
import socket
from types import FrameType

import uvicorn

from compiler.errors import UsageError
from viz.serve.application import make_application
from viz.serve.hub import Hands, Hub

__all__ = ["Hands", "open_port", "serve"]

ADDRESS = "127.0.0.1"


def open_port(port: int) -> socket.socket:
    """Return a socket that listens on a port of this machine alone, a free one for 0.

    Raises:
        UsageError: the port is taken, or may not be had.
    """
    try:
        return socket.create_server((ADDRESS, port))
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        help = "say another one with --port, or leave it out for a free one"
        raise UsageError(f"port {port} cannot be had: {reason}; {help}") from None


class _Server(uvicorn.Server):
    """Ends the streams of news when it is to end, else it would wait for the pages to go."""

    hub: Hub

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.hub.end()
        super().handle_exit(sig, frame)


def serve(hands: Hands, listening: socket.socket, depth: int = 0) -> None:
    """Serve the page until Ctrl-C, which is raised then."""
    hub = Hub(hands, depth)
    config = uvicorn.Config(
        make_application(hub),
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    server = _Server(config)
    server.hub = hub
    server.run([listening])
