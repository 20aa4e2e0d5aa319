"""Tries the targets one after the other, within a budget, and finds the fastest."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from functools import partial

from backends.run.progress import Say
from backends.run.targets import TARGETS, Request, Runner, build_runner, expected_seconds
from backends.run.tune import Tuned, measure, medians
from compiler.errors import BackendError

FIRST_CALL_SECONDS = 15.0
"""The budget of a first call: no target is begun that would not be done by then."""
_RUNS = 3
"""Runs that `measure` takes for one round of one candidate, with the first of all."""
_NEAR = 1.5
"""How much slower than the fastest may be, in one round, what is measured in more of them."""


@dataclass
class Candidates:
    """Targets that can run a request, each timed once; and why others cannot."""

    request: Request
    end: float
    """When the budget is spent, on the monotonic clock."""
    runners: dict[str, Runner] = field(default_factory=dict)
    once: dict[str, float] = field(default_factory=dict)
    """Target -> milliseconds of one run."""
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def left(self) -> float:
        """The seconds that are left of the budget."""
        return self.end - time.monotonic()

    def has_time(self, name: str) -> bool:
        """Say whether a target can be built and timed in what is left; the first one always is."""
        if not self.once:
            return True
        runs = _RUNS * min(self.once.values()) / 1e3  # few are faster than those before
        return expected_seconds(name, self.request) + runs <= self.left

    def try_target(self, name: str) -> None:
        """Build a target and time it once."""
        try:
            runner = build_runner(name, self.request)
        except BackendError as error:
            self.refused[name] = str(error)
            return
        self.runners[name] = runner
        self.once.update(medians(self.measured([name], 1)))

    def measured(self, names: list[str], rounds: int) -> dict[str, list[float]]:
        """Return the milliseconds of every round of some targets, interleaved."""
        inputs = self.request.inputs
        runs = {name: partial(self.runners[name], *inputs) for name in names}
        return measure(runs, rounds, str(self.request.device))

    def rounds_within(self, names: list[str], rounds: int) -> int:
        """Return how many rounds of some targets fit into what is left, one at least."""
        each = (_RUNS - 1) * sum(self.once[name] for name in names) / 1e3
        return max(1, min(rounds, math.floor(min(self.left / each, rounds))))


def choose_target(request: Request, rounds: int, budget: float, say: Say) -> tuple[Tuned, Runner]:
    """Return what was measured, and the fastest runner.

    Without a limit every target is measured in all rounds. Within a budget those that take long to
    build are left out unless they fit in, and what was far slower in one round has no more.

    Args:
        request: the network, its inputs and numbers.
        rounds: runs of each that is measured.
        budget: seconds.
        say: is told which target is being tried, and which it will be.

    Raises:
        BackendError: no target can run it.
    """
    found = Candidates(request, time.monotonic() + budget)
    for number, name in enumerate(TARGETS, start=1):
        if not found.has_time(name):
            found.refused[name] = (
                f"not tried within the {budget:.0f} s of a first call; `netdraft tune` does"
            )
            continue
        say(f"trying {name} ({number} of {len(TARGETS)})")
        found.try_target(name)
    if not found.runners:
        raise BackendError(f"no target can run this: {found.refused['plain']}")
    best = min(found.once.values())
    near = [name for name, ms in found.once.items() if ms <= _NEAR * best or budget == math.inf]
    times = dict(found.once)
    if len(near) > 1 or budget == math.inf:
        rounds = found.rounds_within(near, rounds)
        say(f"measuring {', '.join(near)}")
        # Medians and not minima: what is wanted is the time of a usual call.
        times.update(medians(found.measured(near, rounds)))
    fastest = min(near, key=times.__getitem__)
    choices: dict[str, str] = {}
    for runner in found.runners.values():  # what was chosen inside a target is kept with it
        choices.update(getattr(runner, "choices", {}))
    say(f"{fastest} runs it in {times[fastest]:.2f} ms, the fastest of {len(times)}")
    return Tuned(fastest, times, choices, found.refused), found.runners[fastest]
