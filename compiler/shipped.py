"""Where the specs are that netdraft ships."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def shipped_specs() -> Path:
    """Return the folder of the shipped specs: beside the package, or inside an installed one."""
    here = Path(__file__).resolve().parent
    beside = here.parent / "specs"
    return beside if (beside / "inception_v4.yaml").is_file() else here / "_specs"
