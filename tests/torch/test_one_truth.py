"""One truth: module = emitted source = ONNX Runtime = .pt2 = the NumPy oracle, for every spec.

Outputs are compared in float32 against float64, relative to the largest output, with weights
that keep activations near unit scale. `python -m tests.torch.one_truth` prints the table.
"""

from __future__ import annotations

import pytest

from compiler.errors import CompileError, UsageError
from compiler.pipeline import load_graph
from compiler.spec import shipped_files, shipped_specs
from tests.torch.one_truth import (
    BATCHES,
    ELSEWHERE,
    LARGE,
    SPECS,
    SUBJECTS,
    Subject,
    measure,
    measure_training,
)

pytestmark = pytest.mark.usefixtures("one_thread")

TOLERANCE = 5e-5
"""Float32 keeps 6e-8 of a number, and a hundred layers of batch norm and ReLU raise that."""
TRAINING_TOLERANCE = 1e-8
"""In float64, where three samples of a 1x1 grid can have a very small spread to divide by."""


def check(subject: Subject, target: str) -> None:
    for batch in BATCHES:
        assert measure(subject, target, batch) < TOLERANCE, f"batch {batch}"


@pytest.mark.slow
@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
@pytest.mark.parametrize("target", ["module", "source", "onnx"])
def test_target_equals_oracle(subject: Subject, target: str) -> None:
    check(subject, target)


@pytest.mark.slow
@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_program_equals_oracle(subject: Subject) -> None:
    check(subject, "export")


@pytest.mark.slow
@pytest.mark.parametrize("subject", LARGE, ids=str)
@pytest.mark.parametrize("target", ["module", "source", "onnx", "export"])
def test_target_equals_oracle_at_full_size(subject: Subject, target: str) -> None:
    check(subject, target)


@pytest.mark.slow
@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
@pytest.mark.parametrize("target", ["module", "source"])
def test_training_equals_oracle(subject: Subject, target: str) -> None:
    # Not one sample: batch normalisation cannot train on it where the grid is 1x1 or pooled away.
    assert measure_training(subject, target, 3) < TRAINING_TOLERANCE


@pytest.mark.slow
def test_training_equals_oracle_with_an_auxiliary_head() -> None:
    assert measure_training(LARGE[1], "module", 3) < TRAINING_TOLERANCE


def test_every_shipped_network_is_in_the_matrix() -> None:
    root = shipped_specs()
    found = set()
    for path in shipped_files():
        try:
            load_graph(path)
        except UsageError:
            continue  # a library of blocks
        except CompileError:
            assert path.parent.name == "printed", f"{path} does not compile"
        else:
            found.add(str(path.relative_to(root).with_suffix("")))
    assert found == {*SPECS, *ELSEWHERE}
