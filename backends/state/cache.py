"""What is kept for this machine from one run to the next: compiled kernels, what tuning found.

A cache is never needed. Where its folder cannot be used, what would be kept is made anew by every
process, and one line is logged. Files are replaced whole, under a lock where they are added to.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

from compiler.errors import UsageError, limit, way_out
from compiler.files import reason_of, write_together

_LOG = logging.getLogger("netdraft")
_NOT_KEPT = "nothing is kept for the next run"
_WAY_OUT = "set XDG_CACHE_HOME to a folder with room that can be written"
_said: set[Path] = set()


def cache_folder() -> Path | None:
    """Return `netdraft` in the user's cache folder, which need not exist; None without a home."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return Path(base or Path.home() / ".cache") / "netdraft"
    except RuntimeError:  # neither HOME nor an entry among the users
        say_once(Path(), f"{_NOT_KEPT}: there is no home folder; {_WAY_OUT}")
        return None


def cached(name: str) -> Path | None:
    """Return the place of a file in the cache folder; None where there is no such folder."""
    folder = cache_folder()
    return folder / name if folder else None


def say_once(subject: Path, text: str) -> None:
    """Log a sentence about a folder or a file; nothing where one was logged before."""
    if subject not in _said:
        _said.add(subject)
        _LOG.warning(text)


def keep(path: Path, data: bytes) -> None:
    """Write a file atomically; log once per folder where that fails."""
    if path.is_fifo():  # writing into it would wait for a reader
        with contextlib.suppress(OSError):
            path.unlink()
    try:
        write_together((path,), lambda folder: (folder / path.name).write_bytes(data))
    except UsageError as error:
        way_out = f"; {_WAY_OUT}" if path.parent == cache_folder() else ""
        say_once(path.parent, f"{_NOT_KEPT}: {error}{way_out}")


def kept(path: Path) -> bytes | None:
    """Return the contents of a file; None where there is none, or no cache would write such."""
    try:
        if not path.is_file():  # nothing, or a pipe, from which reading might not end
            return None
        if path.stat().st_size <= limit("cache_bytes"):
            return path.read_bytes()
    except OSError as error:
        ignore(path, f"cannot be read: {reason_of(error)}")
    else:
        ignore(path, f"is too large: {way_out('cache_bytes')}")
    return None


def ignore(path: Path, why: str) -> None:
    """Say once of a kept file that it, or some of it, is made anew."""
    say_once(path, f"{path} {why}; what is missing is made anew")


@contextlib.contextmanager
def locked(path: Path, seconds: float = 60) -> Iterator[None]:
    """Keep other processes and threads that ask for the same from changing a file meanwhile.

    The lock is advisory, on a file beside it, and never in the way: where there are no locks, or
    another process holds it for long, the caller goes on without.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, ImportError):
            path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT  # to read too: then nobody waits for a pipe's reader
            number = os.open(path.with_name(f".{path.name}.lock"), flags, 0o666)
            stack.callback(os.close, number)
            _wait_for(number, seconds)
        yield


def _wait_for(number: int, seconds: float) -> None:
    import fcntl  # where the system has it

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(random.uniform(0.001, 0.01))
        else:
            return
