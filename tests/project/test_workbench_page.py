"""What docs/WORKBENCH.md says is what happens; its workflow and hooks call commands that exist."""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from compiler.cli.main import main, parser_for
from compiler.pipeline import Compilation

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "WORKBENCH.md").read_text(encoding="utf-8")
SESSIONS = [
    part.partition("\n")
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
]


@pytest.mark.parametrize(("command", "_", "output"), SESSIONS, ids=[s[0] for s in SESSIONS])
def test_a_session_is_what_happens(
    command: str,
    _: str,
    output: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(command)[1:]) == 0
    got = capsys.readouterr().out
    assert doctest.OutputChecker().check_output(output, got, doctest.ELLIPSIS), got


def test_what_it_says_of_python_is_what_happens() -> None:
    (session,) = re.findall(r"```pycon\n(.*?)```", PAGE, re.DOTALL)
    test = doctest.DocTestParser().get_doctest(session, {}, "WORKBENCH.md", None, None)
    assert doctest.DocTestRunner().run(test) == (0, 5)


def test_the_line_of_moved_is_of_the_language(tmp_path: Path) -> None:
    (moved,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "net.yaml"
    changes = "changes: [{set: stem.conv_1a, name: first}]\n"
    file.write_text(f"network: mine\nextends: inception_v4\n{changes}{moved}", encoding="utf-8")
    compilation = Compilation(file)
    assert compilation.graph.moved == {"stem.conv_1a": "stem.first"}


def commands() -> Iterator[str]:
    """Yield the calls of netdraft in the workflow and the hooks."""
    workflow = yaml.safe_load((ROOT / "docs" / "ci" / "architecture.yml").read_text())
    for step in workflow["jobs"]["diff"]["steps"]:
        if step.get("run", "").startswith("netdraft"):
            yield step["run"].partition(">>")[0]
    for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text()):
        yield f"{hook['entry']} specs/one.yaml specs/two.yaml"


@pytest.mark.parametrize("command", [*commands()])
def test_what_continuous_integration_calls_exists(command: str) -> None:
    arguments = shlex.split(command)[1:]
    assert parser_for(arguments).parse_args(arguments).command == arguments[0]
