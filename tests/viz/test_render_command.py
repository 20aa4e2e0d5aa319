"""The command: what it writes, what it refuses, and what a missing or broken `dot` does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.__main__ import main

FIGURE = ["render", "inception_v4", "--figure", "7"]
FAKE = "#!/bin/sh\n"


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line of a refusal, which has exit code 2."""
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err.strip()


@pytest.fixture
def fake_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place on the PATH, which holds nothing else, for a `dot` of the test's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder / "dot"


def install(place: Path, script: str) -> None:
    place.write_text("#!/bin/sh\n" + script, encoding="utf-8")
    place.chmod(0o755)


@pytest.mark.parametrize("name", ["out dir.v1/fig.png", "fig.SVG", "a.b.pdf", "new/deep/fig.tex"])
def test_exactly_the_file_asked_for_is_written(tmp_path: Path, name: str) -> None:
    """Case K09."""
    assert main([*FIGURE, "-o", str(tmp_path / name)]) == 0

    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [tmp_path / name]


@pytest.mark.parametrize("name", ["fig.xyz", "fig"])
def test_an_unknown_type_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    said = refused(capsys, *FIGURE, "-o", str(tmp_path / "sub" / name))

    assert said.startswith(f"error: {tmp_path / 'sub' / name}: its extension names no format (.svg")
    assert said.endswith("say which with --format")
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_extension_takes_its_format_from_the_option(tmp_path: Path) -> None:
    assert main([*FIGURE, "-o", str(tmp_path / "fig"), "--format", "json"]) == 0

    assert len(json.loads((tmp_path / "fig").read_text("utf-8"))["nodes"]) == 7


def test_a_name_and_a_format_that_disagree_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "fig.png"

    assert refused(capsys, *FIGURE, "-o", str(file), "--format", "svg") == (
        f"error: {file} is named as png but --format says svg"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--format", "sgv"], "unknown format `sgv` (did you mean `svg`?)"),
        (["--theme", "drak"], "unknown theme `drak` (did you mean `dark`?)"),
        (["--show", "shape"], "unknown annotation `shape` (did you mean `shapes`?)"),
        (["--depth", "-1"], "--depth -1: write a whole number, or `all`"),
        (["--width", "3.3"], "`3.3` is no length: write a number and a unit (pt, in, cm, mm, px)"),
        (["--block", "inception_d"], "`inception_v4` has no block `inception_d` (did you mean"),
        (
            ["--figure", "10"],
            "nothing in `inception_v4` is cited as figure 10; it has `--figure 3`",
        ),
    ],
)
def test_refusals_name_the_way_out(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert refused(capsys, "render", "inception_v4", *arguments).startswith(f"error: {sentence}")


def test_a_width_that_would_be_illegible_is_refused_with_the_width_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "fig.pdf"
    said = refused(
        capsys, "render", "inception_v4", "--figure", "5", "--width", "1in", "-o", str(file)
    )

    assert "less than 5 pt" in said
    needed = said.partition("needs at least ")[2].partition(";")[0]
    assert not file.exists()
    again = ["render", "inception_v4", "--figure", "5", "-o", str(file), "--width"]
    assert main([*again, needed]) == 0
    file.unlink()
    assert main([*again, f"{float(needed.removesuffix('in')) - 0.02}in"]) == 2
    assert not file.exists()


def test_a_page_width_is_kept_to_the_point(tmp_path: Path) -> None:
    for width, points in (("3.3in", 237.6), ("12cm", 340.16)):
        file = tmp_path / "fig.svg"
        assert (
            main(["render", "inception_v4", "--figure", "4", "-o", str(file), "--width", width])
            == 0
        )
        text = file.read_text("utf-8")
        assert float(text.partition('width="')[2].partition("pt")[0]) == pytest.approx(
            points, abs=0.01
        )


def test_a_broken_spec_is_drawn_and_exits_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "fig.svg"

    assert main(["render", "printed/inception_v4", "--figure", "3", "-o", str(file)]) == 1
    assert ">69x69x192</text>" in file.read_text("utf-8")
    assert "shape-mismatch" in capsys.readouterr().err


def test_dot_that_is_not_installed_is_one_line(
    fake_dot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Case K01."""
    file = tmp_path / "fig.png"
    said = refused(capsys, *FIGURE, "--engine", "dot", "-o", str(file))

    assert said == (
        "error: --engine dot needs the program `dot`, which is not on the PATH: install graphviz "
        "(apt-get install graphviz, brew install graphviz), or leave --engine out: the built-in "
        "layout needs no program"
    )
    assert not file.exists()
    assert main([*FIGURE, "-o", str(file)]) == 0
    assert main([*FIGURE, "--engine", "dot", "-o", str(tmp_path / "fig.dot")]) == 0
    assert (tmp_path / "fig.dot").read_text("utf-8").startswith("digraph {")


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            "echo 'Format: \"png\" not recognized' >&2; exit 1",
            'exit code 1: Format: "png" not recog',
        ),
        ("echo garbage", "dot wrote no png but b'garbage\\n'"),
        ("kill -6 $$", "dot was killed by signal 6"),
        ("exit 3", "exit code 3: it said nothing"),
    ],
)
def test_a_dot_that_fails_is_quoted_and_its_input_kept(
    fake_dot: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    script: str,
    sentence: str,
) -> None:
    """Case K02."""
    install(fake_dot, script)
    said = refused(capsys, *FIGURE, "--engine", "dot", "-o", str(tmp_path / "fig.png"))

    assert sentence in said
    assert f"the DOT text is in {tmp_path / 'fig.dot'}" in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bin", "fig.dot"]


def test_a_dot_that_hangs_is_stopped(fake_dot: Path) -> None:
    from viz.formats.dot_program import DotError, run_dot

    install(fake_dot, "while :; do :; done")
    with pytest.raises(DotError, match=r"dot did not finish within 0\.3 s; draw less of it"):
        run_dot("digraph {}", "svg", time_limit_s=0.3)


def test_what_dot_says_besides_is_no_failure(fake_dot: Path, tmp_path: Path) -> None:
    install(fake_dot, "echo 'warning: no font' >&2; echo '<svg xmlns=\"x\"/>'")

    assert main([*FIGURE, "--engine", "dot", "-o", str(tmp_path / "fig.svg")]) == 0
    assert (tmp_path / "fig.svg").read_text("utf-8") == '<svg xmlns="x"/>\n'


def test_a_format_that_is_not_dots_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, *FIGURE, "--engine", "dot", "--format", "tikz")

    assert said == (
        "error: unknown format for --engine dot `tikz`; it must be one of svg, png, pdf, dot"
    )


def test_drawing_loads_neither_torch_nor_graphviz() -> None:
    program = (
        "import sys; from compiler.__main__ import main\n"
        "code = main(['render', 'inception_v4', '--figure', '6'])\n"
        "heavy = {'torch', 'onnx', 'graphviz', 'fontTools', 'resvg_py', 'PIL'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"<?xml")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--figure", "7"], "--figure"),
        (["--heat", "macs", "--width", "3in"], "--heat and --width"),
        (["--show", "params", "--unfold"], "--show and --unfold"),
        (["--fold-loops"], "--fold-loops"),
    ],
)
def test_a_page_leaves_to_its_reader_what_a_picture_is_told(
    capsys: pytest.CaptureFixture[str], options: list[str], named: str
) -> None:
    told = refused(capsys, "render", "inception_v4", "--format", "html", *options)
    assert told == (
        "error: an html page shows the whole network, and its reader chooses how: "
        f"leave out {named}"
    )
