"""What the README says is what happens: its sessions are run, its links and targets exist."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from math import prod
from pathlib import Path

import pytest
import torch

from compiler.cli.main import parser_for
from compiler.spec import shipped_specs
from tests.weights.key_lists import key_list

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
WEIGHTS = (ROOT / "docs" / "WEIGHTS.md").read_text(encoding="utf-8")
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "specs/README.md",
    "docs/WEIGHTS.md",
    "docs/SECURITY.md",
)


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def not_run() -> list[str]:
    """Return the commands that the pages show without their output."""
    texts = [(ROOT / page).read_text(encoding="utf-8") for page in PAGES]
    lines = "".join(b for text in texts for b in blocks("sh", text)).replace("\\\n", "")
    return [line for line in lines.splitlines() if line.startswith("netdraft ")]


def sessions(of_ones_own: bool = False) -> Iterator[tuple[str, str]]:
    """Yield each command of the console blocks with the output shown under it.

    Args:
        of_ones_own: those of the job that needs files of one's own, or the README's.
    """
    for block in blocks("console", WEIGHTS if of_ones_own else README):
        if ("birds" in block) != of_ones_own:
            continue
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def run(command: str, folder: Path = ROOT) -> str:
    arguments = shlex.split(command.removeprefix("netdraft"))
    done = subprocess.run(
        [sys.executable, "-m", "compiler", *arguments],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "80", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def check(command: str, output: str, folder: Path = ROOT) -> None:
    got = run(command, folder)
    want, got = output.rstrip() + "\n", got.rstrip() + "\n"
    as_shown = doctest.OutputChecker().check_output(want, got, doctest.ELLIPSIS)
    assert as_shown, f"$ {command}\n{got}"


@pytest.mark.parametrize(("command", "output"), [*sessions()])
def test_session(command: str, output: str) -> None:
    check(command, output)


@pytest.mark.slow
def test_ten_classes_of_ones_own(tmp_path: Path) -> None:
    """The four commands, with the spec that is shown and weights of timm's names and shapes."""
    (spec,) = (block for block in blocks("yaml", WEIGHTS) if "birds" in block)
    assert spec in blocks("yaml")
    (tmp_path / "birds.yaml").write_text(spec, encoding="utf-8")
    (tmp_path / "birds.txt").write_text("".join(f"bird {i}\n" for i in range(10)))
    shutil.copy(ROOT / "backends/state/photographs/grace_hopper.jpg", tmp_path / "photo.jpg")
    draw = torch.Generator().manual_seed(0)
    state = {
        name: torch.randn(size, generator=draw) * prod(size[1:]) ** -0.5
        if len(size) > 1
        else torch.ones(size, dtype=torch.float32 if size else torch.int64)
        for name, size in key_list("timm_inception_v4").items()
    }
    torch.save(state, tmp_path / "checkpoint.pth")
    commands = [*sessions(of_ones_own=True)]
    assert [command for command, _ in commands] == [c for c in not_run() if "birds" in c][:4]
    for command, output in commands:
        check(command, output, tmp_path)
    # Without a checkpoint, as it is said below.
    (build,) = (command for command, _ in commands if " build " in command)
    plain = run(build.partition(" --weights")[0] + " -o fresh", tmp_path)
    assert "  fresh/birds.safetensors  165 MB\n" in plain
    (predict,) = (command for command, _ in commands if " predict " in command)
    bare = predict.replace("build/birds/", "fresh/")
    assert "bird" in run(f"{bare} --preprocessing timm:inception_v4", tmp_path)


def test_python() -> None:
    (code,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    shown = re.findall(r"print\(.*# (.*)", code)
    assert done.stdout.split() == shown


@pytest.mark.parametrize("line", not_run())
def test_a_command_that_is_not_run_parses(line: str) -> None:
    arguments = shlex.split(line)[1:]
    parser_for(arguments).parse_args(arguments)


def test_the_block_shown_is_the_block_that_ships() -> None:
    block = blocks("yaml")[0]
    shipped = (shipped_specs() / "blocks" / "inception_v4.yaml").read_text(encoding="utf-8")
    lines = [line for line in shipped.splitlines() if "doc:" not in line and "drawing:" not in line]
    shown = "\n".join(f"  {line}".rstrip() for line in block.splitlines())
    assert shown in "\n".join(lines)


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    assert [t for t in targets if not (ROOT / page).parent.joinpath(t).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE))
    assert named <= known


def test_the_table_of_specs() -> None:
    for name, parameters in re.findall(r"^\| `([\w/]+)` \|.*?\| ([\d,]{9,}) \|", README, re.M):
        summary = run(f"netdraft summary {name}")
        assert re.search(rf"^total +{parameters} ", summary, re.M), name
