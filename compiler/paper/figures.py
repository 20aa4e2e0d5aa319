"""The paper's figures and Table 1, read from the data beside this file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class PrintedBox:
    """One box of a figure, as printed."""

    label: str
    size: str | None
    x: float
    """Distance of its middle from the left edge of the page, in points."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: boxes from the bottom to the top, arrows as (tail, head) by place."""

    number: int
    title: str
    boxes: tuple[PrintedBox, ...]
    arrows: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Paper:
    """What the paper prints of its architectures."""

    figures: Mapping[int, Figure]
    table_1: Mapping[str, Mapping[str, int]]
    """Network -> k, l, m, n of Reduction-A."""


@cache
def paper() -> Paper:
    """Return the paper."""
    data = json.loads(files("compiler.paper").joinpath("figures.json").read_text("utf-8"))
    return Paper(
        {int(number): _figure(int(number), entry) for number, entry in data["figures"].items()},
        data["table_1"],
    )


def _figure(number: int, entry: Mapping[str, Any]) -> Figure:
    boxes = tuple(PrintedBox(label, size, x) for label, size, x, _ in entry["boxes"])
    arrows = tuple((tail, head) for tail, head in entry["arrows"])
    return Figure(number, entry["title"], boxes, arrows)


def plain_label(label: str) -> str:
    """Return a label without what makes no difference: case (E13) and `stride=2` (E2)."""
    return re.sub(r"\bstride=", "stride ", label).casefold()


def figures_named(where: str) -> frozenset[int]:
    """Return the figures that an erratum's place names: `Figures 4-8, 12 and 18`.

    A place without figures (a table, a section) names none.
    """
    found: set[int] = set()
    for phrase in re.findall(r"Figures? ([\d\s,\-]+(?:and \d+)?)", where):
        for first, last in re.findall(r"(\d+)(?:-(\d+))?", phrase):
            found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
