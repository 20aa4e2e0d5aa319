"""Files are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from compiler.errors import UsageError


def write_file(path: Path, data: bytes | str) -> Path:
    """Write a file whole or not at all: to a temporary file beside it, then rename.

    Raises:
        UsageError: the place cannot be written.
    """
    raw = data.encode("utf-8") if isinstance(data, str) else data
    return write_with(path, lambda temporary: temporary.write_bytes(raw))


def write_with(path: Path, write: Callable[[Path], object]) -> Path:
    """Have `write` write a temporary file beside `path`, then rename it to `path`.

    Raises:
        UsageError: the place cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent
        )
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
