"""Runs pytest in a copy of this tree without `backends/native`: nothing else may need it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "build", "dist")


def main(arguments: list[str]) -> int:
    """Run pytest with these arguments in the copy, and return its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "netdraft")
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        shutil.rmtree(copy / "backends" / "native")
        return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=copy).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
