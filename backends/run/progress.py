"""What takes long says what it is doing: on one line of a terminal, and to the logger."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator

from compiler.errors.terminal import is_terminal, write, write_painted

_LOG = logging.getLogger("netdraft")
_CLEAR = "\r\x1b[K"
_WIDTH = 79

Say = Callable[[str], None]


@contextlib.contextmanager
def telling(subject: str) -> Iterator[Say]:
    """Give a function that says what is being done, in a few words.

    Each text goes to the logger `netdraft` as information. On a terminal it also takes the place of
    the one before; the last one stays.

    Args:
        subject: what it is about, said before each text.
    """
    shown = is_terminal(sys.stderr)

    def say(text: str) -> None:
        line = f"{subject}: {text}"
        _LOG.info("%s", line)
        if shown:
            write_painted(sys.stderr, _CLEAR)
            write(sys.stderr, line[:_WIDTH])

    try:
        yield say
    finally:
        if shown:
            write(sys.stderr, "\n")
