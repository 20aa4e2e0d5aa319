"""The extension of VS Code: it starts the server of the settings, and vsce packages it."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from compiler import VERSION
from compiler.cli.main import parser_for
from tests.editor.vsix import MODULES, NODES, SOURCE, write_vsix

pytestmark = [
    pytest.mark.editor,
    pytest.mark.skipif(not (NODES and MODULES.is_dir()), reason="vsce is not here: make editor"),
]
PACKAGE = json.loads((SOURCE / "package.json").read_text(encoding="utf-8"))
DEFAULTS = {
    name.removeprefix("netdraft."): setting["default"]
    for name, setting in PACKAGE["contributes"]["configuration"]["properties"].items()
}


def activated(fault: str = "") -> dict[str, Any]:
    given = {"settings": DEFAULTS, "fault": fault, "path": str(SOURCE / "extension.js")}
    script = str(Path(__file__).with_name("activate.js"))
    done = subprocess.run(
        [str(NODES[0]), script, json.dumps(given)], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_it_starts_the_language_server_and_starts_it_anew_after_a_change() -> None:
    seen = activated()
    _, _, server, client = seen["made"][0]
    assert server == {"command": "netdraft", "args": ["lsp"], "options": {"cwd": "/project"}}
    assert parser_for(server["args"]).parse_args(server["args"]).command == "lsp"
    (selected,) = client["documentSelector"]
    assert selected == {
        "scheme": "file",
        "language": "yaml",
        "pattern": "**/specs/**/*.{yaml,yml}",
    }
    assert seen["calls"] == ["start", "stop", "start", "stop"]
    assert seen["commands"] == [c["command"] for c in PACKAGE["contributes"]["commands"]]


def test_a_server_that_is_not_there_is_said() -> None:
    assert activated("spawn netdraft ENOENT")["messages"][0] == (
        "netdraft: `netdraft lsp` does not start (spawn netdraft ENOENT); "
        "pip install 'netdraft[lsp]', or say in netdraft.command what starts it"
    )


def test_the_package_has_all_that_it_needs(tmp_path: Path) -> None:
    write_vsix(tmp_path / "netdraft.vsix")
    with zipfile.ZipFile(tmp_path / "netdraft.vsix") as package:
        names = set(package.namelist())
        package.extractall(tmp_path)
    assert {"extension/extension.js", "extension/package.json", "extension/LICENSE.txt"} <= names
    assert not any("vsce" in name for name in names)
    resolve = "console.log(require.resolve('vscode-languageclient/node'))"
    done = subprocess.run(
        [str(NODES[0]), "-e", resolve],
        cwd=tmp_path / "extension",
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()).is_relative_to(tmp_path.resolve() / "extension")


def test_what_it_says_of_itself() -> None:
    readme = (SOURCE / "README.md").read_text(encoding="utf-8")
    settings = dict(re.findall(r"^\| `netdraft\.(\w+)` \| `([^`]+)` ", readme, re.MULTILINE))
    assert settings == {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in DEFAULTS.items()
    }
    assert PACKAGE["version"] == VERSION
    assert len((SOURCE / "extension.js").read_text(encoding="utf-8").splitlines()) < 60
