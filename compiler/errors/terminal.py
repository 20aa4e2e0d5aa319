"""The door to the terminal: what it can show, and what is written there."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import unicodedata
from collections.abc import Iterator
from typing import IO

from compiler.errors.report import UsageError
from compiler.errors.shown import LONGEST_PATH, shortened, shown


def is_terminal(stream: IO[str] | None) -> bool:
    """True where somebody reads along; a stream that was closed at the start is None."""
    return stream is not None and stream.isatty()


def wants_color(stream: IO[str] | None) -> bool:
    """True for a terminal, unless NO_COLOR is set or the terminal is dumb."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or is_terminal(stream)


def display_width(text: str) -> int:
    """Return the columns that a text takes: East Asian wide characters take two."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def write(stream: IO[str] | None, text: str) -> None:
    """Write text to standard output or error, hidden characters escaped, whatever its encoding.

    What standard error cannot encode or receive is dropped, and so is what comes after the reader
    of standard output has gone: the exit code still reports it.

    Raises:
        UsageError: standard output is closed or full.
    """
    write_painted(stream, shown(text))


def write_painted(stream: IO[str] | None, text: str) -> None:
    """Write text as `write` does, in which only our own colours are left to obey."""
    with _refusing(stream) as found:
        encoding = getattr(found, "encoding", None) or "utf-8"
        found.write(text.encode(encoding, "replace").decode(encoding))
        found.flush()


def write_bytes(data: bytes) -> None:
    """Write the contents of a file to standard output, as long as somebody reads it.

    Raises:
        UsageError: it is closed or full.
    """
    with _refusing(sys.stdout) as found:
        found.buffer.write(data)  # type: ignore[attr-defined]  # standard output has one
        found.flush()


def complain(text: str) -> None:
    """Write an error without a place to standard error; paths stay whole, longer words do not."""
    write(sys.stderr, f"error: {shortened(text, LONGEST_PATH)}\n")


def let_go(stream: IO[str] | None) -> None:
    """Send to nowhere what a stream still holds, so that Python's last flush cannot fail."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # type: ignore[union-attr]


@contextlib.contextmanager
def _refusing(stream: IO[str] | None) -> Iterator[IO[str]]:
    try:
        if stream is None:  # Python's name for one that was closed before it started
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        yield stream
    except OSError as error:
        let_go(stream)
        if stream is sys.stderr or isinstance(error, BrokenPipeError):
            return
        raise UsageError(f"standard output cannot be written: {error.strerror}") from None
