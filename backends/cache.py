"""The folder of what is made once for this machine: compiled kernels, choices, mapped weights."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from compiler.errors import BackendError


def cache_folder() -> Path:
    """Return `netdraft` in the user's cache folder; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "netdraft"


@contextlib.contextmanager
def kept_in_cache(what: str) -> Iterator[Path]:
    """Give the folder, made if need be, to something that is written there.

    Raises:
        BackendError: the system refused something inside; the text says what was to be kept.
    """
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except OSError as error:
        raise BackendError(
            f"cannot keep {what} in {folder}: {error.strerror or error}; "
            f"set XDG_CACHE_HOME to a folder on a disk with room"
        ) from None
