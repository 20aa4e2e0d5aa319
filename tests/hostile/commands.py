"""A command in a process of its own, with whatever is wrong around it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SMALL = """network: t
input: {image: [3, 16, 16]}
layers:
  - {conv: 3x3, filters: 4, name: c}
  - global_avg_pool
  - {linear: 5, name: fc}
"""
PATHS = f'PYTHONPATH="{ROOT}${{PYTHONPATH:+:$PYTHONPATH}}"'
PYTHON = f'{PATHS} OMP_NUM_THREADS=1 "{sys.executable}"'
NETDRAFT = f"{PYTHON} -m compiler"


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of sh in a folder with a small network, `t.yaml`; `netdraft` is the command."""
    (folder / "t.yaml").write_text(SMALL)
    return subprocess.run(
        ["sh", "-c", line.replace("netdraft", NETDRAFT)],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "FORCE_COLOR"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
