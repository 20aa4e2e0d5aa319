"""The server itself: a socket of the loopback address, until Ctrl-C."""

from __future__ import annotations

import socket
from types import FrameType

import uvicorn

from viz.serve.application import make_application
from viz.serve.hub import Hands, Hub

__all__ = ["Hands", "serve"]


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
