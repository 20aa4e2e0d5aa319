"""Random specs from all sides; `make fuzz` tries others for as long as one likes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from tests.fuzz.case import Case
from tests.fuzz.files import Written
from tests.fuzz.properties import OF_LARGE, PROPERTIES
from tests.fuzz.shipped import variants
from tests.fuzz.strategies import specs

pytestmark = [pytest.mark.fuzz, pytest.mark.usefixtures("one_thread")]

EXAMPLES = {
    "holds_its_meaning": 1000, "fits_the_schema": 1000,
    "symbolic_is_concrete": 500, "counts_as_torch_does": 400,
    "live_is_the_oracle": 250, "source_is_live": 250, "optimised_is_live": 200, "onnx_is_live": 200,
    "native_is_live": 60, "is_seen": 150, "prints_as_itself": 250, "is_the_same_twice": 60,
    "settings_are_a_child": 400, "taps_are_inside": 60, "features_are_inside": 120,
    "constructor_is_a_setting": 120, "built_is_live": 60, "weights_come_back": 150,
}  # fmt: skip


@pytest.mark.parametrize("name", PROPERTIES)
def test_of_every_random_spec(name: str) -> None:
    hold(name, specs(), EXAMPLES[name])


@pytest.mark.parametrize("name", OF_LARGE)
def test_of_every_change_to_a_shipped_network(name: str) -> None:
    hold(name, variants(), 50)


def hold(name: str, drawn: SearchStrategy[Written], examples: int) -> None:
    """Hold a property of what is drawn."""

    @settings(max_examples=examples, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(drawn)
    def holds(written: Written) -> None:
        with TemporaryDirectory() as folder:
            PROPERTIES[name](Case(written, Path(folder)))

    holds()
