"""`diff` as a user meets it: exit codes by what breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.cli.main import main


@pytest.mark.parametrize(
    ("pair", "breaking", "code"),
    [
        (("inception_v4", "inception_v4"), "drawing", 0),
        (("inception_v4", "released/inception_v4_slim"), None, 0),
        (("inception_v4", "released/inception_v4_slim"), "weights", 1),
        (("inception_v4", "printed/inception_v4"), None, 1),
        (("inception_v4", "inception_v5"), None, 2),
    ],
)
def test_the_exit_code_says_what_breaks(
    pair: tuple[str, str], breaking: str | None, code: int
) -> None:
    options = ["--breaking", breaking] if breaking else []
    assert main(["diff", *pair, *options]) == code


def test_numbers_that_change_break_no_weights(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "network: mine\nextends: inception_v4\nchanges: [{set: dropout, dropout: {keep: 0.5}}]\n"
    )
    assert main(["diff", "inception_v4", str(file), "--breaking", "weights"]) == 0
    assert main(["diff", "inception_v4", str(file), "--breaking", "numerics"]) == 1
