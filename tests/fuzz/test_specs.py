"""Random specs from all sides; `make fuzz` tries others for as long as one likes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.case import Case
from tests.fuzz.files import Written
from tests.fuzz.properties import PROPERTIES
from tests.fuzz.strategies import specs

pytestmark = [pytest.mark.fuzz, pytest.mark.usefixtures("one_thread")]

EXAMPLES = {
    "holds_its_meaning": 1000, "fits_the_schema": 1000,
    "symbolic_is_concrete": 500, "counts_as_torch_does": 400,
    "live_is_the_oracle": 250, "source_is_live": 250, "optimised_is_live": 200, "onnx_is_live": 200,
    "native_is_live": 60, "is_seen": 150, "prints_as_itself": 250, "is_the_same_twice": 60,
}  # fmt: skip


@pytest.mark.parametrize("name", PROPERTIES)
def test_of_every_random_spec(name: str) -> None:
    @settings(
        max_examples=EXAMPLES[name],
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(specs())
    def holds(written: Written) -> None:
        with TemporaryDirectory() as folder:
            PROPERTIES[name](Case(written, Path(folder)))

    holds()
