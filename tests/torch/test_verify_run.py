"""`verify --run`: the proof is the tensors that come back, never how a process ends."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from backends.torch.source import emit_source
from compiler.__main__ import main
from tests.torch.torch_specs import graph_of_text

SPEC = """network: scale
input: {image: [3, 9, 9]}
layers:
  - {conv: 3x3, filters: 4, norm: batch_norm, activation: relu, name: a}
  - {scale: 0.5}
  - {global_avg_pool: true}
  - {linear: 3, name: fc}
  - softmax
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Return the emitted source of a spec, to be edited, and the spec."""
    spec, file = tmp_path / "scale.yaml", tmp_path / "edited.py"
    spec.write_text(SPEC)
    file.write_text(emit_source(graph_of_text(SPEC)))
    return file, spec


def verify(files: tuple[Path, Path], *options: str) -> int:
    return main(["verify", *map(str, files), *options])


def test_an_edited_file_is_proven(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file, _ = files
    file.write_text(file.read_text() + "\nEXTRA = 3\n")
    assert verify(files, "--run") == 0
    said = capsys.readouterr().out
    assert f"{file}: is `scale`\n" in said
    assert "training agrees, running statistics included" in said


def test_a_size_that_is_left_open_is_tried_where_it_fits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = """network: skips
input: {image: [1, 4*H, 4*W]}
layers:
  - {conv: 3x3, filters: 2, name: a}
  - {max_pool: 4x4, stride: 4, padding: V}
  - {upsample: 4, name: b}
  - {concat: [a, b]}
"""
    spec, file = tmp_path / "skips.yaml", tmp_path / "skips.py"
    spec.write_text(text)
    file.write_text(emit_source(graph_of_text(text)))
    assert main(["verify", "--run", str(file), str(spec)]) == 0
    assert "evaluation agrees at 1x300x300: " in capsys.readouterr().out
    runpy.run_path(str(file), run_name="__main__")
    assert capsys.readouterr().out == "skips: 20 parameters\noutput: (1, 4, 300, 300)\n"


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ("raise SystemExit(0)", "the file ended the process, exit code 0, before its network ran"),
        (
            "import os; os._exit(0)",
            "the file ended the process, exit code 0, before its network ran",
        ),
        ("import sys; sys.exit('done')", "the file ended the process, exit code 1, before its"),
        ("raise ValueError('no')", "the file does not run: ValueError: no"),
        ("import torch; torch.equal = torch.allclose = lambda *a, **k: True; FACTOR = 3", ""),
    ],
)
def test_no_way_to_end_is_a_proof(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str], first: str, reason: str
) -> None:
    file, _ = files
    text = file.read_text().replace("0.5", "0.6")
    head = "from __future__ import annotations\n"
    file.write_text(text.replace(head, f"{head}{first}\n"))
    assert verify(files, "--run") == 1
    said = capsys.readouterr().out
    assert f"{file}: departs from `scale`: {reason}" in said


def test_a_file_that_never_answers_is_ended(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETDRAFT_LIMIT_VERIFY_SECONDS", "8")
    files[0].write_text("while True:\n    pass\n")
    assert verify(files, "--run") == 1
    assert "the file gave no answer in 8 s (the limit is 8; NETDRAFT" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(" * 5000 + ")" * 5000, "line 1 is not Python: too many nested parentheses"),
        ("a = " + "-" * 20000 + "1", "Python cannot read the file"),
        ("a = 1\0", "is not the source of `scale`: "),
    ],
)
def test_what_python_cannot_read_is_a_sentence(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str], text: str, reason: str
) -> None:
    files[0].write_text(text)
    assert verify(files) == 1
    out = capsys.readouterr().out
    assert reason in out
    assert "--run" not in out


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("from torch import", "from evil import", "from evil import"),
        ("import torch\n", "import torch\nimport evil\n", "`import evil` is not in the emitted"),
        ("import torch\n", "import os as torch\n", "`import os as torch` is not in the emitted"),
        ("import torch\n", "", "`import torch` is missing"),
    ],
)
def test_names_from_elsewhere_are_no_proof(
    files: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    old: str,
    new: str,
    reason: str,
) -> None:
    text = files[0].read_text()
    assert old in text
    files[0].write_text(text.replace(old, new, 1))
    assert verify(files) == 1
    assert reason in " ".join(capsys.readouterr().out.split())


def test_the_class_is_not_imported_over(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    files[0].write_text(files[0].read_text() + "\nfrom evil import Scale\n")
    assert verify(files) == 1
    assert "`from evil import Scale` is not in" in " ".join(capsys.readouterr().out.split())
