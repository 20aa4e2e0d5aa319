"""Changes are told even where the system tells of none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from viz.serve import watcher


@pytest.mark.parametrize("error", [OSError("inotify watch limit reached"), RuntimeError("no")])
def test_what_cannot_be_watched_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    file = tmp_path / "net.yaml"
    calls: list[object] = []

    async def awatch(*_: Path, force_polling: bool | None, **__: object) -> AsyncIterator[object]:
        calls.append(force_polling)
        if calls:
            raise error
        yield None

    async def run() -> None:
        told = watcher.changes(lambda: [file])
        for text in ("1", "12", "123"):
            file.write_text(text, encoding="utf-8")
            await asyncio.wait_for(anext(told), 20)

    monkeypatch.setattr(watcher, "awatch", awatch)
    monkeypatch.setattr(watcher, "POLL_MS", 5)
    with ThreadPoolExecutor(1) as apart:  # a browser of another test may have a loop in this one
        apart.submit(lambda: asyncio.run(run())).result()
    assert calls[:2] == [None, True]
