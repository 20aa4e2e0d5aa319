"""Only pages of this server may ask it: Host and Origin are checked before anything else."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from compiler.loopback import refusal

HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


class Guard:
    """An application that answers this machine's own pages alone."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] == "http":
            complaint = complaint_of(scope["method"], Headers(scope=scope))
            app = PlainTextResponse(f"{complaint}\n", 403) if complaint else self.app
            await app(scope, receive, _with_headers(send))
        elif scope["type"] == "lifespan":
            await self.app(scope, receive, send)


def complaint_of(method: str, headers: Headers) -> str:
    """Return why a request is not answered; one that says no origin may read, no more."""
    origin = headers.get("origin")
    if origin is None and method not in ("GET", "HEAD"):
        origin = ""
    return refusal(headers.get("host", ""), origin)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *HEADERS]
        await send(message)

    return sending
