"""Random specs and mutations for as long as one likes: `make fuzz MINUTES=30 SEED=1`.

Every failure is shrunk and printed with the seed that finds it again; the search goes on, and
ends with exit code 1 if anything failed.
"""

from __future__ import annotations

import random
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from hypothesis import HealthCheck, given, seed, settings

from tests.fuzz.case import Case
from tests.fuzz.files import Written
from tests.fuzz.mutated import Mutated, mutants, outcome
from tests.fuzz.properties import OF_LARGE, PROPERTIES
from tests.fuzz.shipped import variants
from tests.fuzz.strategies import specs

BATCH = 200
COUNTED: Counter[str] = Counter()
BOUNDS = settings(
    max_examples=BATCH, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


@BOUNDS
@given(specs())
def holds_of_specs(written: Written) -> None:
    """Hold every property of a spec."""
    COUNTED["specs"] += 1
    with TemporaryDirectory() as folder:
        case = Case(written, Path(folder))
        for holds in PROPERTIES.values():
            holds(case)


@settings(BOUNDS, max_examples=BATCH // 5)
@given(variants())
def holds_of_variants(written: Written) -> None:
    """Hold what can be told of a changed shipped network without computing it."""
    COUNTED["changed shipped networks"] += 1
    with TemporaryDirectory() as folder:
        case = Case(written, Path(folder))
        for name in OF_LARGE:
            PROPERTIES[name](case)


@BOUNDS
@given(mutants())
def holds_of_mutants(mutated: Mutated) -> None:
    """Hold that a change gives an equal network, or an error beside it."""
    COUNTED["mutations"] += 1
    with TemporaryDirectory() as folder:
        found = outcome(mutated, Path(folder))
    COUNTED[f"first error {found}" if found != "valid" else "valid mutations"] += 1
    if mutated.mutant.kind == "character" and found != "valid":
        COUNTED[f"of one character: first error {found}"] += 1


def main(minutes: float, first: int) -> int:
    """Try batches until the time is up."""
    torch.set_num_threads(1)
    end, number, failures = time.monotonic() + 60 * minutes, first, 0
    while time.monotonic() < end:
        for holds in (holds_of_specs, holds_of_variants, holds_of_mutants):
            try:
                seed(number)(holds)()
            except Exception:
                failures += 1
                print(f"---- {holds.__name__}, seed {number}", flush=True)
                traceback.print_exc()
        number += 1
    tried = f"seeds {first} to {number - 1}, {failures} batches failed"
    print(", ".join([tried, *(f"{n:,} {what}" for what, n in sorted(COUNTED.items()))]))
    return int(failures > 0)


if __name__ == "__main__":
    arguments = [a for a in sys.argv[1:] if a]
    start = int(arguments[1]) if len(arguments) > 1 else random.randrange(10**6)
    print(f"seed {start}", flush=True)
    sys.exit(main(float(arguments[0]) if arguments else 10, start))
