"""The one run after `build`: what it ran on is what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.__main__ import main

PHOTOGRAPH = "the photograph that netdraft ships with"


@pytest.mark.parametrize(
    ("inputs", "image"),
    [
        ("image: [3, 8, 8]", PHOTOGRAPH),
        ("z: [100, 1, 1]", "none, the input is random numbers"),
        ("v: [3]", "none, the input is random numbers"),
        ("rgb: [3, 8, 8], depth: [1, 8, 8]", f"{PHOTOGRAPH}; other inputs are random numbers"),
    ],
)
def test_what_it_ran_on(
    inputs: str, image: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, names = tmp_path / "t.yaml", [part.split(":")[0] for part in inputs.split(", ")]
    names = [name for name in names if name.isalpha()]
    join = f"{{concat: [{', '.join(names)}]}}"
    spec.write_text(f"network: t\ninput: {{{inputs}}}\nlayers: [{join}, {{scale: 2}}]\n")
    assert main(["build", str(spec), "-o", str(tmp_path / "out"), "--device", "cpu"]) == 0
    assert f"\nimage: {image}\n" in capsys.readouterr().out
