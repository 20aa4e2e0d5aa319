"""No garbage collection while a graph is built: much is made then and nothing is thrown away."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Pause the cyclic collector: its passes over a growing graph make the time superlinear."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if not gc.get_freeze_count():
                gc.freeze()  # and back: what was made is old then, no pass over the young visits it
                gc.unfreeze()
            gc.enable()
