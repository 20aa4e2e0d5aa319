"""Hostile inputs are refused before they cost much."""

from __future__ import annotations

import pytest

from tests.hostile.costs import Trial, bases, run, trials

SECONDS = 6
"""Of processor time, beyond what the command costs anyway; a slow and busy machine is no fault."""
MEGABYTES = 260
"""Beyond the base too: a picture of as many pixels as there may be takes 5 bytes for each."""


@pytest.mark.slow
def test_every_hostile_input_costs_little() -> None:
    found = bases()

    def is_dear(trial: Trial) -> bool:
        cost, base = run(trial), found[trial.base]
        more = cost.seconds - base.seconds, cost.megabytes - base.megabytes
        return cost.code not in (0, 1, 2) or more[0] > SECONDS or more[1] > MEGABYTES

    assert [trial.title for trial in trials() if is_dear(trial)] == []
