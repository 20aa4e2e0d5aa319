"""Every operation: live module and emitted source against the NumPy oracle."""

from __future__ import annotations

import pytest

from tests.oracle.difference import relative_difference
from tests.oracle.op_cases import CASES
from tests.oracle.small_graphs import random_inputs, random_state, single
from tests.oracle.ways import by_oracle, by_source, by_torch

TOLERANCE = 2e-6
"""About sixteen roundings of float32, relative to the largest element."""


@pytest.mark.parametrize("case", CASES)
def test_module_and_source_equal_oracle(case: str) -> None:
    op, shapes = CASES[case]
    graph = single(op, *shapes)
    state, inputs = random_state(graph), random_inputs(graph)
    want = by_oracle(graph, state, inputs)
    for way in (by_torch, by_source):
        got = way(graph, state, inputs)
        assert got.shape == want.shape
        assert relative_difference(got, want) < TOLERANCE
