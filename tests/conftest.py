"""What tests of every part share."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
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
hypothesis.settings.register_profile("netdraft", deadline=None)
hypothesis.settings.load_profile("netdraft")
