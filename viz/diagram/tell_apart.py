"""What tells instances of one block apart where several are drawn side by side."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from compiler.graph import Graph
from compiler.text import show_value
from viz.diagram.fold import names_in, runs
from viz.diagram.shared import shared_words
from viz.diagram.slots import Slots


def tell_apart(
    graph: Graph, scope: str, title: Callable[[str], str], slots: Slots | None = None
) -> dict[str, str]:
    """Return words for the instances in a region that share their title with another one.

    These are the value of the one parameter in which all of them differ, `(64)`, or else their
    names: `3a` for the instance `inception_3a` of `inception`. Equal copies of a repeat are one,
    and what is shared says so itself.
    """
    shown: dict[tuple[str, int], list[str]] = {}
    for copies in _instances(graph, scope):
        if not shared_words(graph, copies[0]):
            shown.setdefault((title(copies[0]), len(copies)), []).append(copies[0])
    out: dict[str, str] = {}
    for names in shown.values():
        if len(names) > 1:
            out |= _by_value(graph, names, slots) or {
                name: _by_name(graph, scope, name) for name in names
            }
    return out


def _instances(graph: Graph, scope: str) -> Iterator[Sequence[str]]:
    """Yield the instances of blocks in a region, of equal copies as one; not those inside them."""
    stack = list(reversed(graph.regions[scope].members))
    while stack:
        name = stack.pop()
        region = graph.regions.get(name)
        if region is None or not names_in(graph, name):
            continue
        if region.kind == "block":
            yield (name,)
        elif region.kind == "repeat":
            for copies in runs(graph, region.members):
                if _is_block(graph, copies[0]):
                    yield copies
                else:
                    stack.append(copies[0])
        else:
            stack.extend(reversed(region.members))


def _is_block(graph: Graph, name: str) -> bool:
    region = graph.regions.get(name)
    return region is not None and region.kind == "block"


def _by_value(graph: Graph, names: Sequence[str], slots: Slots | None) -> dict[str, str]:
    """Return the values of the one parameter that differs everywhere; nothing if none does."""
    regions = [graph.regions[name] for name in names]
    if len({region.definition for region in regions}) > 1:
        return {}
    differing = [
        parameter
        for parameter in regions[0].arguments
        if len({show_value(region.arguments[parameter]) for region in regions}) > 1
    ]
    if len(differing) != 1:
        return {}
    values = [show_value(region.arguments[differing[0]]) for region in regions]
    if len(set(values)) < len(values):
        return {}
    if slots is not None:
        values = [
            slots.argument(r.name, differing[0], v) for r, v in zip(regions, values, strict=True)
        ]
    # A number of channels needs no word, as in a convolution; others are said by name.
    definition = graph.definitions.get(regions[0].definition or "")
    kinds = {p.name: p.type for p in definition.params} if definition else {}
    word = "" if kinds.get(differing[0]) == "channels" else f"{differing[0]} = "
    return {name: f" ({word}{value})" for name, value in zip(names, values, strict=True)}


def _by_name(graph: Graph, scope: str, name: str) -> str:
    local = name.removeprefix(f"{scope}.")
    definition = graph.regions[name].definition or ""
    rest = re.fullmatch(rf"{re.escape(definition)}(?:[_.](?=\w)|(?=\d))([\w.]+)", local)
    return f" {rest[1]}" if rest else f" ({local})"
