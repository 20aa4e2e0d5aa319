"""What layers are called now that a spec says were called otherwise before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def now_called(name: str, moved: Mapping[str, str]) -> str:
    """Return what a layer, or a tensor of it, of an earlier version is called now.

    Paths are without the numbers of copies, which stay where they are.

    >>> now_called("a.3.first.weight", {"a.first": "a.entry"})
    'a.3.entry.weight'
    >>> now_called("stem.conv", {"stem": "trunk"})
    'trunk.conv'
    """
    steps = name.split(".")
    for old in sorted(moved, key=len, reverse=True):
        before, after = old.split("."), moved[old].split(".")
        places = _places(steps, before)
        if places is None:
            continue
        pairs = zip(before, after, strict=False)
        common = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(before), len(after)))
        kept = steps[: places[common]] if common < len(before) else steps[: places[-1] + 1]
        return ".".join([*kept, *after[common:], *steps[places[-1] + 1 :]])
    return name


def without_copies(name: str) -> str:
    """Return a path without the numbers of copies."""
    return ".".join(step for step in name.split(".") if not step.isdigit())


def _places(steps: Sequence[str], path: Sequence[str]) -> list[int] | None:
    """Return where the steps of a path stand in a name that begins with it, copies aside."""
    out: list[int] = []
    at = 0
    for step in path:
        while at < len(steps) and steps[at] != step and steps[at].isdigit():
            at += 1
        if at == len(steps) or steps[at] != step:
            return None
        out.append(at)
        at += 1
    return out
