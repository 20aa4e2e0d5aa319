"""Weights in a file instead of in memory: there only while a step reads them."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from backends.cache import kept_in_cache
from backends.native import steps as c
from backends.native.weights import Floats, Packed


def move_to_file(packs: Iterable[Packed]) -> list[Packed]:
    """Return packs whose weights lie in a file without a name, mapped, each from a page on.

    The file is in the cache folder, for the folder of temporary files may be in memory itself, and
    goes with the last pack. What the system keeps of it in its own cache is no memory of this
    process, and there only while there is room.

    Args:
        packs: at least one; taken one by one, so that only one is in memory.

    Raises:
        BackendError: the folder has no room, or its file system cannot map.
    """
    none = np.zeros(0, dtype=np.float32)
    moved: list[tuple[Packed, slice]] = []
    with kept_in_cache("weights") as folder, tempfile.TemporaryFile(dir=folder) as file:
        for packed in packs:
            file.seek(-file.tell() % mmap.ALLOCATIONGRANULARITY, 1)
            start = file.tell() // 4
            file.write(packed.weights.data)
            moved.append((replace(packed, weights=none), slice(start, start + packed.weights.size)))
        file.flush()
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    whole = np.frombuffer(pages, dtype=np.float32)
    return [replace(packed, weights=whole[where]) for packed, where in moved]


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
