"""What regions hold, and what crosses their borders, by their members and the edges alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compiler.graph.graph import Node, Region


def nodes_in(regions: Mapping[str, Region], region: str = "") -> Iterator[str]:
    """Yield the names of the nodes of a region and of the regions inside it, in their order."""
    stack = [region]
    while stack:
        name = stack.pop()
        if name in regions:
            stack.extend(reversed(regions[name].members))
        else:
            yield name


def regions_around(regions: Mapping[str, Region]) -> dict[str, tuple[str, ...]]:
    """Return node name -> the regions around it, innermost first."""
    out: dict[str, tuple[str, ...]] = {}
    around: dict[str, tuple[str, ...]] = {"": ("",)}
    stack = [""]
    while stack:
        name = stack.pop()
        for member in regions[name].members:
            if member in regions:
                around[member] = (member, *around[name])
                stack.append(member)
            else:
                out[member] = around[name]
    return out


@dataclass(frozen=True, slots=True)
class Border:
    """What crosses the border of a region, by the edges alone."""

    reads: tuple[str, ...] = ()
    """The nodes outside that are read inside, in order of first use."""
    last: str = ""
    """The last node inside; "" where there is none."""


def borders(regions: Mapping[str, Region], nodes: Iterable[Node]) -> dict[str, Border]:
    """Return region -> its border."""
    around = regions_around(regions)
    reads: dict[str, dict[str, None]] = {name: {} for name in regions}
    last: dict[str, str] = {}
    for node in nodes:
        here = around[node.name]
        last.update(dict.fromkeys(here, node.name))
        for source in node.inputs:
            there = set(around[source])
            for region in here:
                if region not in there:
                    reads[region][source] = None
    return {name: Border(tuple(reads[name]), last.get(name, "")) for name in regions}
