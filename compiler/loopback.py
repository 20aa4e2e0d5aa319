"""Servers of this machine alone: their port, and who is answered."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Collection

from compiler.errors import UsageError, on_one_line

ADDRESS = "127.0.0.1"
HOSTS = (ADDRESS, "localhost", "[::1]")
LONGEST = 80
"""Letters of a name that are shown to who is refused."""
_ORIGIN = re.compile(r"https?://[\w.-]+(:\d+)?|https?://\[[\da-f:]+\](:\d+)?", re.ASCII)


def open_port(port: int, help: str) -> socket.socket:
    """Return a socket that listens on a port of this machine alone, a free one for 0.

    Raises:
        UsageError: the port is taken, or may not be had; `help` says what to do then.
    """
    try:
        return socket.create_server((ADDRESS, port))
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise UsageError(f"port {port} cannot be had: {reason}; {help}") from None


def refusal(host: str, origin: str | None, pages: Collection[str] = ()) -> str:
    """Return why a request is not answered, nothing for one that is.

    A page elsewhere whose name was made to lead here (DNS rebinding) sends its own name as Host;
    one that asks across sites sends its own Origin.

    Args:
        host: the header of that name.
        origin: that header; None: who asks is no page.
        pages: origins that may ask, besides the server's own.
    """
    if host.rpartition(":")[0] not in HOSTS and host not in HOSTS:
        return f"the host `{on_one_line(host[:LONGEST])}` is not this machine's own address"
    if origin is not None and origin not in (f"http://{host}", *pages):
        return f"the origin `{on_one_line(origin[:LONGEST])}` is no page of this server"
    return ""


def origin_from(text: str) -> str:
    """Return the origin that somebody wrote; a slash behind it is none of it.

    Raises:
        UsageError: it is another thing, such as the address of a page, or `*`.
    """
    origin = text.removesuffix("/").lower()
    if not _ORIGIN.fullmatch(origin):
        example = "http://localhost:8000"
        raise UsageError(f"--origin {text}: write scheme, host and port, as {example}")
    return origin
