"""Pages in the browser for the tests that are marked `browser`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained of: errors, policy violations, requests; empty at the end."""
    return []


@pytest.fixture
def show(chromium: Browser, tmp_path: Path, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """Open a page's text from disk; keyword arguments go to the browser's new page."""
    pages: list[Page] = []

    def open_page(text: str, **options: object) -> Page:
        file = tmp_path / f"page_{len(pages)}.html"
        file.write_text(text, encoding="utf-8")
        page = chromium.new_page(**{"reduced_motion": "reduce", **options})
        pages.append(page)
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("request", lambda request: _note(request.url, file, complaints))
        page.goto(file.as_uri())
        return page

    yield open_page
    for page in pages:
        page.close()
    assert complaints == []


def _note(url: str, file: Path, complaints: list[str]) -> None:
    if url != file.as_uri() and not url.startswith("blob:"):  # the page's own picture of itself
        complaints.append(f"request: {url[:200]}")
