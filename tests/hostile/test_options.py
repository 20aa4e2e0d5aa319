"""Numbers on the command line that no number type holds, and devices that no machine has."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler import __main__ as command_line
from tests.hostile.commands import SMALL

LONG = "9" * 5000
WHOLE = [
    ("build", "--seed", "0 to 18,446,744,073,709,551,615"),
    ("summary", "--depth", "1 to 1,000,000,000"),
    ("render", "--figure", "0 to 1,000,000,000"),
    ("predict", "--top", "1 to 1,000,000,000"),
    ("bench", "--rounds", "1 to 1,000,000,000"),
    ("bench", "--training", "0 to 1,000,000,000"),
]


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that is used wrongly and return the last line that it says."""
    try:
        code = command_line.main(arguments)
    except SystemExit as ended:  # argparse's way
        code = int(str(ended.code))
    assert code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.fixture
def spec(tmp_path: Path) -> str:
    (tmp_path / "t.yaml").write_text(SMALL)
    return str(tmp_path / "t.yaml")


@pytest.mark.parametrize("text", [LONG, "²", "٣", "1.5", "1e3", "1_0", "-1", "", " 1"])
@pytest.mark.parametrize(("command", "option", "bounds"), WHOLE)
def test_whole_numbers(
    command: str, option: str, bounds: str, text: str, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal(capsys, command, spec, f"{option}={text}")
    given = f"`{LONG[:43]}...{LONG[:11]}`" if text == LONG else f"`{text}`"
    assert said == (
        f"netdraft {command}: error: argument {option}: {given} is not a whole number from {bounds}"
    )


@pytest.mark.parametrize("text", [LONG, "²", "٣", "-1", "1.5", "", "All"])
def test_the_depth_of_a_figure(text: str, spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "render", spec, f"--depth={text}")
    given = f"--depth {LONG[:44]}...{LONG[:11]}:" if text == LONG else f"--depth {text}:"
    assert said == f"error: {given} write a whole number, or `all`"


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e400", LONG, "x"])
def test_the_least_type(text: str, spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "render", spec, "--width=3in", f"--min-type={text}")
    assert said.endswith("` is no size in points, as 5")


@pytest.mark.parametrize("text", [f"{LONG}in", "٣in", "1e400in", "infin", "0in"])
def test_the_width_of_a_page(text: str, spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "render", spec, f"--width={text}")
    assert said.endswith("is no length: write a number and a unit (pt, in, cm, mm, px), as 3.3in")


@pytest.mark.parametrize("text", ["cpu:²", "cpu:5", "cuda:²", f"cuda:{LONG}", "cuda:", "meta", ""])
def test_devices_that_are_none(text: str, spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "build", spec, f"--device={text}")
    assert said.startswith("error: --device ")
    assert said.endswith(": write auto, cpu, cuda or cuda:N")


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "this torch sees no GPU; say --device auto or cpu"),
        (2, "the last GPU that this torch sees is cuda:1"),
    ],
)
def test_a_gpu_that_is_not_there(
    count: int,
    words: str,
    spec: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: count > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    assert refusal(capsys, "build", spec, "--device=cuda:99") == f"error: --device cuda:99: {words}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("summary", "--set", "n=1"), "t has no parameter `n`; it has none"),
        (("build", "--input", "im=3x8x8"), "--input im=3x8x8: there is no input `im`"),
        (("build", "--taps", "stem"), "tap `stem` is no node, block or branch of `t`"),
        (("build", "--taps", "fcc", "--emit", "graph"),
         "tap `fcc` is no node, block or branch of `t` (did you mean `fc`?)"),
        (("build", "--features", "stem"), "there is no tensor `stem` in `t`"),
        (("render", "--block", "stem"), "`t` has no block `stem`; it has none"),
        (("render", "--figure", "3"), "nothing in `t` is cited as figure 3; it has none"),
        (("build", "--preprocessing", "{mean: [0, 0, 0], deviation: [1, 1, 1]}"),
         "--preprocessing: `preprocessing` needs `interpolation`; write {mean: [0.5, 0.5, 0.5], "
         "deviation: [0.5, 0.5, 0.5], interpolation: bicubic, crop: 7/8}"),
    ],
)  # fmt: skip
def test_names_that_the_spec_does_not_have(
    arguments: tuple[str, ...], words: str, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(capsys, arguments[0], spec, *arguments[1:]) == f"error: {words}"
