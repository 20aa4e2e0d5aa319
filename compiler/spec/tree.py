"""The files that a spec may read: what a name means, what a thing is, which names are near."""

from __future__ import annotations

import os
import stat
from collections import deque
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path

from compiler.errors import Completion, Diagnostic, nearest
from compiler.spec.shipped import shipped_names, shipped_spec, shipped_specs
from compiler.text import describe_text

MOST = 1000
"""Entries of folders that are looked at to find a name that is near a wrong one."""
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class Tree:
    """The folders that a spec may read: its own, or an ancestor called `specs`; the shipped ones.

    Args:
        root: the file of the spec.
        looked_for: gets the paths where files were looked for, whether they are there or not.
    """

    def __init__(self, root: Path, looked_for: set[Path] | None = None) -> None:
        own = root.resolve()
        specs = next((f for f in own.parents if f.name == "specs"), own.parent)
        self.roots = (specs, shipped_specs())
        self.looked_for = set() if looked_for is None else looked_for
        self.real = cache(os.path.realpath)
        self.find = cache(self._find)
        self.names_below = cache(_names_below)

    def _find(self, text: str, folder: Path) -> Path | str:
        """Return the file that a text means, or a complaint.

        That is the file of that path in the folder, else the shipped one of that path or name, as
        on the command line.
        """
        shown = f"`{describe_text(text)}`"
        if Path(text).is_absolute() or "\0" in text:
            return f"{shown} is not a relative path"
        self.looked_for.add(folder / text)
        for path in (folder / text, shipped_spec(text)):
            if path is not None and is_file(path):
                real = Path(self.real(path))
                if not any(real.is_relative_to(root) for root in self.roots):
                    return f"{shown} lies outside the spec's folder tree"
                return Path(os.path.normpath(path))
        kind = kind_of(folder / text)
        return f"{shown} is {kind}, not a file" if kind else f"there is no file {shown}"

    def near(self, text: str, folder: Path) -> Completion | None:
        """Return what adds a file with a near name to the finding that there is no such file."""

        def complete(found: Diagnostic) -> Diagnostic:
            if not found.message.startswith("there is no file"):
                return found
            names = dict(self.names_below(folder))
            if not text.endswith(".yaml"):
                names |= {name: name for name in shipped_names()}
            name = nearest(text, names) or nearest(Path(text).name, names)
            guess = f" (did you mean `{names[name]}`?)" if name else ""
            return replace(found, message=found.message + guess)

        return complete


def _names_below(folder: Path) -> dict[str, str]:
    """Return the name of every YAML file near below a folder -> its path from there.

    Folders are looked at level by level until `MOST` entries were seen.
    """
    out: dict[str, str] = {}
    waiting, seen = deque([""]), 0
    while waiting and seen < MOST:
        inside = waiting.popleft()
        try:
            with os.scandir(folder / inside) as found:
                entries = sorted(islice(found, MOST - seen), key=lambda entry: entry.name)
        except OSError:  # gone, or not for us to read
            continue
        seen += len(entries)
        for entry in entries:
            path = f"{inside}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                waiting.append(f"{path}/")
            elif entry.name.endswith(".yaml") and is_file(folder / path):
                out.setdefault(entry.name, path)
    return out


def is_file(path: Path) -> bool:
    """True for a file; false for what no file can be called."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def kind_of(path: Path) -> str:
    """Return what stands at a path that is no file: a folder, a pipe, ...; nothing if none does."""
    try:
        return _KINDS.get(stat.S_IFMT(path.stat().st_mode), "")
    except (OSError, ValueError):
        pass
    return "a link that leads nowhere" if os.path.islink(path) else ""
