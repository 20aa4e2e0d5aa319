"""Files -> a tick for each change, however it is made: in place, by rename, gone and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from watchfiles import awatch

STEP_MS = 10
"""So long nothing more must happen for a change to be told."""
MOST_MS = 100
"""So long a change is held back while more happens."""
POLL_MS = 500
"""So often files are looked at without being told: some file systems tell nothing."""

Stamp = tuple[int, int, int] | None


async def changes(files: Callable[[], Iterable[Path]]) -> AsyncIterator[None]:
    """Yield once the files are watched, and whenever one is another one than before.

    Folders are watched and not files, for a rename puts another file in the place of one. What is
    told there is only a reason to look: what the files' own marks say counts.

    Args:
        files: gives the files; they may become others with each change.
    """
    seen: dict[Path, Stamp] = {}
    is_polling = False
    while True:
        folders = _folders(files())
        try:
            async for _ in _told(folders, is_polling):
                now = stamps(files())
                if now != seen:
                    seen = now
                    yield
                if _folders(files()) != folders:
                    break
        except (OSError, RuntimeError):  # a folder has gone, or the system watches no more of them
            is_polling = _folders(files()) == folders


async def _told(folders: Iterable[Path], is_polling: bool) -> AsyncIterator[object]:
    """Yield whenever something happens in folders, at least so often as files are looked at.

    Raises:
        OSError: they cannot be watched; once more was yielded, for a look.
    """
    watched = awatch(
        *folders,
        watch_filter=None,
        debounce=MOST_MS,
        step=STEP_MS,
        rust_timeout=POLL_MS,
        yield_on_timeout=True,
        recursive=False,
        force_polling=True if is_polling else None,
        ignore_permission_denied=True,
    )
    try:
        async for told in watched:
            yield told
    except (OSError, RuntimeError):
        await asyncio.sleep(POLL_MS / 1000)
        yield None
        raise


def stamps(files: Iterable[Path]) -> dict[Path, Stamp]:
    """Return what tells each file from another one in its place, None for those that are gone."""
    return {path: _stamp(path) for path in files}


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _folders(files: Iterable[Path]) -> dict[Path, int]:
    """Return the folders of files, and of what links lead to, each with what tells it from another.

    One that is removed and made again has to be watched again.
    """
    places = {place for path in files for place in (path, path.resolve())}
    folders = {_existing(place.parent) for place in places}
    return {folder: _inode(folder) for folder in folders}


def _inode(path: Path) -> int:
    stamp = _stamp(path)
    return stamp[2] if stamp else 0


def _existing(folder: Path) -> Path:
    """Return a folder, or the nearest above it that there is."""
    return next(p for p in (folder, *folder.parents) if p.is_dir())
