"""Random specs speak the whole language, but for what is named here."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.coverage import language, said
from tests.fuzz.files import Written
from tests.fuzz.strategies import specs

pytestmark = pytest.mark.fuzz

MISSING = frozenset({"parameter of type block"})


def test_specs_say_everything_but_what_is_named() -> None:
    found: Counter[str] = Counter()

    @settings(max_examples=10_000, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(specs())
    def count(written: Written) -> None:
        found.update(said(written))

    count()
    assert language() - set(found) == MISSING
