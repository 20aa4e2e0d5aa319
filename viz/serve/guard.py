"""Only pages of this server may ask it: Host and Origin are checked before anything else."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost", "[::1]")
HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


class Guard:
    """An application that answers this machine's own pages alone.

    A page elsewhere whose name was made to lead here (DNS rebinding) sends its own name as Host;
    one that posts across sites sends its own Origin.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] == "http":
            complaint = refusal(scope["method"], Headers(scope=scope))
            app = PlainTextResponse(f"{complaint}\n", 403) if complaint else self.app
            await app(scope, receive, _with_headers(send))
        elif scope["type"] == "lifespan":
            await self.app(scope, receive, send)


def refusal(method: str, headers: Headers) -> str:
    """Return why a request is not answered, nothing for one that is."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if host.rpartition(":")[0] not in HOSTS and host not in HOSTS:
        return f"the host `{host[:80]}` is not this machine's own address"
    if origin is None and method in ("GET", "HEAD"):
        return ""
    if origin != f"http://{host}":
        return f"the origin `{(origin or '')[:80]}` is no page of this server"
    return ""


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *HEADERS]
        await send(message)

    return sending
