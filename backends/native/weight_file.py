"""Weights in a file instead of in memory: there only while a step reads them."""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import IO

import numpy as np

from backends.native import steps as c
from backends.native.weights import Floats, Packed
from backends.state.cache import cache_folder
from compiler.errors import BackendError
from compiler.files import reason_of


def move_to_file(packs: Iterable[Packed]) -> list[Packed]:
    """Return packs whose weights lie in a file without a name, mapped, each from a page on.

    The file is in the cache folder, for the folder of temporary files may be in memory itself, and
    in that one only where the other has no space. It is deleted with the last pack. The system's
    page cache of it is no memory of this process, and is evicted under pressure.

    Args:
        packs: at least one; read one by one, so that only one is in memory.

    Raises:
        BackendError: neither folder has space, or its file system cannot map.
    """
    none = np.zeros(0, dtype=np.float32)
    moved: list[tuple[Packed, slice]] = []
    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(_cache_file())
            for packed in packs:
                end = file.seek(0, os.SEEK_END)
                start = -(-end // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
                try:
                    _write(file, start, packed.weights.data)
                except OSError:  # full
                    full, file = file, stack.enter_context(tempfile.TemporaryFile(buffering=0))
                    _copy(full, end, file)
                    _write(file, start, packed.weights.data)
                where = slice(start // 4, start // 4 + packed.weights.size)
                moved.append((replace(packed, weights=none), where))
            pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise BackendError(
            f"cannot keep weights in a file: {reason_of(error)}; "
            f"set XDG_CACHE_HOME or TMPDIR to a folder on a disk with room"
        ) from None
    whole = np.frombuffer(pages, dtype=np.float32)
    return [replace(packed, weights=whole[where]) for packed, where in moved]


def _cache_file() -> IO[bytes]:
    folder = cache_folder()
    if folder:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            return tempfile.TemporaryFile(dir=folder, buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _copy(file: IO[bytes], size: int, other: IO[bytes]) -> None:
    if size:
        _write(other, 0, memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)))


def _write(file: IO[bytes], start: int, data: memoryview) -> None:
    file.seek(start)
    rest = data.cast("B")
    while rest:
        rest = rest[file.write(rest) :]


def page_moves(weights: Sequence[Floats]) -> list[c.Pages]:
    """Return what becomes of pages at the start, before each product in turn, and at the end.

    Before a product those of the one before go, and those of the next come: while it runs it
    brings them from memory into the caches. At the end all go, for the system may map pages
    around those that it is asked for.

    Args:
        weights: what `move_to_file` returned, in its order.
    """
    none = np.zeros(0, dtype=np.float32)
    moves = [
        c.Pages(done.ctypes.data, wanted.ctypes.data, done.nbytes, wanted.nbytes)
        for done, wanted in zip([none, none, *weights], [*weights, none, none], strict=True)
    ]
    first, last = weights[0], weights[-1]
    size = last.ctypes.data + last.nbytes - first.ctypes.data
    moves[-1] = c.Pages(first.ctypes.data, None, size, 0)
    return moves
