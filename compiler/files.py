"""Files are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
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

    Where `path` is a link, the file that it points to is replaced; a device or a pipe stays what
    it is and is given the contents.

    Raises:
        UsageError: the place cannot be written.
    """
    with _refusing(path):
        if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
            _pour(path, write)
            return path
    write_together((path,), lambda folder: write(folder / path.name))
    return path


def write_together(paths: Sequence[Path], write: Callable[[Path], object]) -> tuple[Path, ...]:
    """Have `write` fill a temporary folder with files of these names, then move them, in order.

    Each is there whole or not at all; the last is the one that says that all are there.

    Raises:
        UsageError: a place cannot be written.
    """
    with _refusing(paths[-1]), _beside(paths[-1]) as folder:
        write(folder)
        _settle({folder / path.name: path for path in paths})
    return tuple(paths)


Writer = Callable[[Path], Sequence[Path]]
"""Writes a file, and others beside it, and returns them: those that others refer to first."""


def write_folder(folder: Path, writers: Mapping[str, Writer]) -> tuple[Path, ...]:
    """Write files by name into a temporary folder, then move all of them to `folder`, in order.

    None is there before all are made: where a writer fails, nothing changes.

    Raises:
        UsageError: the place cannot be written.
    """
    made: list[Path] = []
    with _refusing(folder), _beside(folder / "file") as temporary:
        for name, write in writers.items():
            with _refusing(folder / name):
                made += write(temporary / name)
        _settle({path: folder / path.name for path in made})
    return tuple(folder / path.name for path in made)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Give a temporary folder where a file will be, or in what is there of the folders above."""
    place = Path(os.path.realpath(path)).parent
    with tempfile.TemporaryDirectory(prefix=".netdraft-", dir=_existing(place)) as name:
        yield Path(name)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest above it that there is."""
    above = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not above.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    return above


def _settle(made: Mapping[Path, Path]) -> None:
    """Move files to their places, where there is none that cannot be moved."""
    for path in made.values():
        with _refusing(path):
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    for file, path in made.items():
        place = Path(os.path.realpath(path))
        if place.exists() and not place.is_file():  # a device or a pipe stays what it is
            with file.open("rb") as contents, place.open("wb") as out:
                shutil.copyfileobj(contents, out)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        file.chmod(0o666 & ~_umask())  # some libraries write for the owner alone
        file.replace(place)


def check_folder(path: Path) -> None:
    """Refuse a folder for files that cannot be one, before anything is made for it.

    Raises:
        UsageError: a file is in its place, or it or the folder above it cannot be written.
    """
    with _refusing(path):
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is a file, not a folder")
        with tempfile.TemporaryDirectory(prefix=".netdraft-", dir=_existing(path)):
            pass


def check_file(path: Path) -> None:
    """Refuse what is no file that can be read; a pipe might never end, and a device never does.

    Raises:
        UsageError: it is not there, is a folder, a pipe or a device, or may not be read.
    """
    if not os.path.isfile(path):
        what = "is a folder, not a file" if os.path.isdir(path) else "does not exist"
        if os.path.exists(path) and not os.path.isdir(path):
            what = "is a pipe or a device, not a file"
        raise UsageError(f"{path} {what}")
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {reason_of(error)}") from None


def reason_of(error: OSError) -> str:
    """Return the system's words for what went wrong."""
    return error.strerror or str(error) or type(error).__name__


@contextlib.contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {reason_of(error)}") from None


def _pour(path: Path, write: Callable[[Path], object]) -> None:
    with tempfile.TemporaryDirectory(prefix="netdraft-") as folder:
        made = Path(folder) / path.name
        write(made)
        with made.open("rb") as contents, path.open("wb") as out:
            shutil.copyfileobj(contents, out)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
