"""A small change to a spec gives an equal network, or errors of which the first is beside it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.mutated import Mutated, mutants, outcome
from tests.fuzz.mutations import MUTATIONS

pytestmark = [pytest.mark.fuzz, pytest.mark.usefixtures("one_thread")]


@pytest.mark.parametrize("kind", MUTATIONS)
def test_a_change_is_an_equal_network_or_an_error_beside_it(kind: str) -> None:
    outcomes: Counter[str] = Counter()

    @settings(
        max_examples=300 if kind == "character" else 60,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(mutants([kind]))
    def holds(case: Mutated) -> None:
        with TemporaryDirectory() as folder:
            outcomes[outcome(case, Path(folder))] += 1

    holds()
    if kind == "character":
        assert outcomes["at"] >= 0.95 * (outcomes["at"] + outcomes["elsewhere"])
