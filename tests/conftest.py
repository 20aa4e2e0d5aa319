"""What tests of every part share."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: its sums then have one order, and small work starts at once."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# A slow machine is no fault of a test: times are measured in benchmarks.
if find_spec("hypothesis"):  # the environment of the peers has none
    from hypothesis import settings

    settings.register_profile("netdraft", deadline=None)
    settings.load_profile("netdraft")
