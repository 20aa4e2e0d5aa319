"""The six addresses: the page, its stream of news, and what it asks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from anyio import create_task_group
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from compiler.errors import UsageError
from viz.html import waiting_page
from viz.serve.guard import Guard
from viz.serve.hub import Hub

MOST_BYTES = 2**18
"""Of a request: it says which values are set."""


def make_application(hub: Hub) -> Starlette:
    """Return the application; it watches the files while it runs."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await hub.refresh()
        async with create_task_group() as tasks:
            tasks.start_soon(hub.watch)
            yield
            tasks.cancel_scope.cancel()

    async def page(_: Request) -> Response:
        text = await hub.run(hub.page)
        return HTMLResponse(waiting_page() if text is None else text)

    async def events(request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        return StreamingResponse(_stream(hub), media_type="text/event-stream")

    async def program(request: Request) -> Response:
        asked = await _body(request)
        return JSONResponse(await hub.program(_texts(asked, "values")))

    async def values(request: Request) -> Response:
        return JSONResponse(await hub.values(_text(await _body(request), "name")))

    async def write(request: Request) -> Response:
        asked = await _body(request)
        was = _text(asked, "was") if "was" in asked else None
        key, text = _text(asked, "key"), _text(asked, "text")
        return await _edit(hub, partial(hub.hands.write, key, text, was))

    async def undo(request: Request) -> Response:
        await _body(request)
        return await _edit(hub, hub.hands.undo)

    async def redo(request: Request) -> Response:
        await _body(request)
        return await _edit(hub, hub.hands.redo)

    posts = {"program": program, "values": values, "write": write, "undo": undo, "redo": redo}
    routes = [
        Route("/", page),
        Route("/events", events),
        *(Route(f"/{name}", answer, methods=["POST"]) for name, answer in posts.items()),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard)], lifespan=lifespan)


async def _stream(hub: Hub) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    async for version in hub.versions():
        yield ": here\n\n" if version is None else f"data: {version}\n\n"


async def _edit(hub: Hub, work: Any) -> Response:
    try:
        return JSONResponse({"done": await hub.edit(work)})
    except UsageError as error:
        return JSONResponse({"why": str(error)}, 409)


async def _body(request: Request) -> dict[str, Any]:
    """Return what a request says: a JSON object."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise HTTPException(415, "send application/json")
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BYTES:
            raise HTTPException(413, f"send at most {MOST_BYTES:,} bytes")
    try:
        asked = json.loads(data)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the request is no JSON") from None
    if not isinstance(asked, dict):
        raise HTTPException(400, "the request is no JSON object")
    return asked


def _text(asked: dict[str, Any], name: str) -> str:
    found = asked.get(name)
    if not isinstance(found, str):
        raise HTTPException(400, f"`{name}` is no text")
    return found


def _texts(asked: dict[str, Any], name: str) -> dict[str, str]:
    found = asked.get(name)
    if not isinstance(found, dict) or not all(isinstance(t, str) for t in found.values()):
        raise HTTPException(400, f"`{name}` is no mapping of texts")
    return found
