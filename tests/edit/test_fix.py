"""`check --fix`: what is certain is written, all else stays byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.cli.main import main
from compiler.edit.span_edits import Edit, apply_edits
from compiler.errors import Span

HEAD = "network: net  # mine\ninput: {image: [3, 32, 32]}\nparams:   {width: 64}\n\nlayers:\n"


def fixed(folder: Path, layers: str, code: int = 0, mark: bytes = b"", newline: str = "\n") -> str:
    """Return the layers of a spec after `check --fix`; what is before them did not change."""
    file = folder / "net.yaml"
    text = (HEAD + layers).replace("\n", newline)
    file.write_bytes(mark + text.encode())
    assert main(["check", str(file), "--fix"]) == code
    data = file.read_bytes()
    assert data.startswith(mark)
    out = data.removeprefix(mark).decode()
    assert out.startswith(HEAD.replace("\n", newline))
    return out.removeprefix(HEAD.replace("\n", newline))


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("  - {conv: 3x3, filters: width, strides: 2}  # why\n",
         "  - {conv: 3x3, filters: width, stride: 2}  # why\n"),
        ("  - {Conv2d: 3x3,   filters: widht,  strides: 2}\n",
         "  - {conv: 3x3,   filters: width,  stride: 2}\n"),
        ("  - {conv: 3x3, filters: width, activation: 'rleu'}\n",
         "  - {conv: 3x3, filters: width, activation: 'relu'}\n"),
        ("  - {conv: 3x3, filters: width, name: left}\n  - {add: [lefft, left]}\n",
         "  - {conv: 3x3, filters: width, name: left}\n  - {add: [left, left]}\n"),
        ("  - {conv: 3x3, filters: 2 * widht + widt}\n",
         "  - {conv: 3x3, filters: 2 * width + width}\n"),
    ],
)  # fmt: skip
def test_a_misspelt_word_is_mended_and_the_rest_stays(
    tmp_path: Path, wrong: str, right: str
) -> None:
    assert fixed(tmp_path, wrong) == right


def test_marks_and_line_ends_stay(tmp_path: Path) -> None:
    wrong = "  - {conv: 3x3, filters: width}\n  - {Relu: true}\n"
    right = "  - {conv: 3x3, filters: width}\r\n  - {relu: true}\r\n"
    assert fixed(tmp_path, wrong, mark=b"\xef\xbb\xbf", newline="\r\n") == right


def test_what_is_not_certain_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = "  - {conv: 3x3, filters: width, norm: layer}\n  - {pool: 2x2}\n"
    assert fixed(tmp_path, wrong, code=1) == wrong
    assert "fixed" not in capsys.readouterr().err


def test_what_was_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fixed(tmp_path, "  - {conv: 3x3, filters: width, strides: 2}\n")
    assert capsys.readouterr().err.endswith("net.yaml:6:33: `strides` -> `stride`\n")


def test_a_library_that_is_imported_is_mended_too(tmp_path: Path) -> None:
    library = tmp_path / "blocks.yaml"
    library.write_text("blocks: {one: {layers: [{conv: 3x3, filtres: 8}]}}\n")
    (tmp_path / "net.yaml").write_text(
        "network: n\nimport: [blocks.yaml]\ninput: {image: [3, 8, 8]}\nlayers: [{block: one}]\n"
    )
    assert main(["check", str(tmp_path / "net.yaml"), "--fix"]) == 0
    assert library.read_text() == "blocks: {one: {layers: [{conv: 3x3, filters: 8}]}}\n"


def test_a_right_spec_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(HEAD + "  - {conv: 3x3, filters: width}\n")
    before = file.stat()
    assert main(["check", str(file), "--fix"]) == 0
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_edits_stand_in_any_order_and_may_not_overlap() -> None:
    edits = [Edit(Span("f", 2, 1, 2, 2), "X"), Edit(Span("f", 1, 2, 1, 3), "Y")]
    assert apply_edits("abc\r\ndef", edits) == "aYc\r\nXef"
    with pytest.raises(ValueError, match="overlap"):
        apply_edits("abc", [Edit(Span("f", 1, 1, 1, 3), ""), Edit(Span("f", 1, 2, 1, 3), "")])
