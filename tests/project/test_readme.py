"""What the README says is what happens: its sessions are run, its links and targets exist."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from compiler.cli.main import parser_for
from compiler.spec import shipped_specs

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "specs/README.md",
    "docs/WEIGHTS.md",
    "docs/SECURITY.md",
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def sessions() -> Iterator[tuple[str, str]]:
    """Yield each command of the console blocks with the output shown under it."""
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def run(command: str) -> str:
    arguments = shlex.split(command.removeprefix("netdraft"))
    done = subprocess.run(
        [sys.executable, "-m", "compiler", *arguments],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize(("command", "output"), [*sessions()])
def test_session(command: str, output: str) -> None:
    got = run(command)
    want, got = output.rstrip() + "\n", got.rstrip() + "\n"
    as_shown = doctest.OutputChecker().check_output(want, got, doctest.ELLIPSIS)
    assert as_shown, f"$ {command}\n{got}"


def test_python() -> None:
    (code,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    shown = re.findall(r"print\(.*# (.*)", code)
    assert done.stdout.split() == shown


@pytest.mark.parametrize(
    "line", [line for b in blocks("sh") for line in b.splitlines() if line.startswith("netdraft ")]
)
def test_a_command_that_is_not_run_parses(line: str) -> None:
    arguments = shlex.split(line)[1:]
    parser_for(arguments).parse_args(arguments)


def test_the_block_shown_is_the_block_that_ships() -> None:
    (block,) = blocks("yaml")
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
