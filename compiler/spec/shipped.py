"""Where the specs are that netdraft ships."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from compiler.errors import limit


@cache
def shipped_specs() -> Path:
    """Return the folder of the shipped specs: beside the package, or inside an installed one."""
    here = Path(__file__).resolve().parents[1]
    beside = here.parent / "specs"
    return beside if (beside / "inception_v4.yaml").is_file() else here / "_specs"


def shipped_spec(name: str) -> Path | None:
    """Return the file of a shipped name, `inception_v4` or `zoo/googlenet.yaml`; None for others.

    >>> shipped_spec("inception_v4").name
    'inception_v4.yaml'
    """
    shipped = shipped_specs()
    try:
        found = (shipped / f"{name.removesuffix('.yaml')}.yaml").resolve()
    except (OSError, ValueError):  # what no file can be called
        return None
    return found if os.path.isfile(found) and found.is_relative_to(shipped) else None


def is_shipped(path: str) -> bool:
    """True for a file that is installed with the package: nobody edits those there."""
    installed = Path(__file__).resolve().parents[1] / "_specs"
    return Path(path).resolve().is_relative_to(installed)


RECIPES = "recipes"
"""The folder of recipes of training, which are no specs."""


@cache
def shipped_files() -> tuple[Path, ...]:
    """Return the files of all shipped networks and libraries."""
    shipped = shipped_specs()
    return tuple(p for p in sorted(shipped.rglob("*.yaml")) if p.parent != shipped / RECIPES)


@cache
def shipped_names() -> tuple[str, ...]:
    """Return the names of all shipped specs, `blocks/stem_v4` and `inception_v4` among them."""
    shipped = shipped_specs()
    return tuple(str(path.relative_to(shipped).with_suffix("")) for path in shipped_files())


@cache
def recipe_names() -> tuple[str, ...]:
    """Return the names of the shipped recipes."""
    return tuple(sorted(p.stem for p in (shipped_specs() / RECIPES).glob("*.yaml")))


def is_recipe(name: str | Path) -> bool:
    """True for a file that says `recipe`, and for the shipped name of one, `recipes/paper`."""
    path = Path(name)
    if str(name).removeprefix(f"{RECIPES}/") in recipe_names() and not path.exists():
        return True
    if not os.path.isfile(path):
        return False
    with path.open("rb") as stream:
        return bool(re.search(rb"^recipe[ \t]*:", stream.read(limit("bytes")), re.MULTILINE))
