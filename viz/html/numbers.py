"""The network's numbers for the page: formulas in its settings, and which settings there are.

The page evaluates them (page/numbers.js); the meaning is that of `summary --set` and `--input`.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from compiler.facts.numbers import Frames
from compiler.graph import Graph, Region
from compiler.spec import Spec
from compiler.text import Value, show_value

Json = dict[str, Any]
LIVE = ("channels", "int", "number")
"""Types of parameters that are live in the page; others change which layers there are."""
MOST_COPIES = 1000
MOST_OPERATIONS = 20_000
"""Of a network in the page, with all copies that are counted there."""


def write_numbers(graph: Graph, spec: Spec, live: set[tuple[str, str]] | None = None) -> Json:
    """Return `{settings, ...}`: what may be set, and the numbers as formulas in it.

    A setting is `{key, label, type, value, least, most, doc, cite}`; the value is None where a
    size is left open. Parameters that the page cannot follow have `live: false`, and the value as
    text. A fault in layers that no output depends on is none here: the graph is without them.

    Args:
        graph: the network.
        spec: what it was built from.
        live: gets the (node, attribute) whose numbers the settings may change.
    """
    frames = Frames(graph, spec)
    program = frames.write()
    if live is not None:
        live |= frames.live
    settings = [*_parameters(graph), *_inputs(graph), *_repeats(graph, frames)]
    return {"settings": settings, **program}


def _parameters(graph: Graph) -> Iterator[Json]:
    for param in graph.params:
        value = graph.arguments[param.name]
        cite = "" if param.cite is None else str(param.cite)
        said = {"key": f"param:{param.name}", "label": param.name, "type": param.type}
        about = {"doc": param.doc, "cite": cite}
        if param.type not in LIVE:
            yield {**said, "live": False, "value": show_value(value), **about}
            continue
        least = 1 if param.type == "channels" else None
        most = None if param.type == "number" else 10**7
        yield {**said, "value": _number(value), "least": least, "most": most, **about}


def _number(value: Value) -> Any:
    if isinstance(value, Fraction):
        return {"n": value.numerator, "d": value.denominator}
    return value if isinstance(value, int) else None


def _inputs(graph: Graph) -> Iterator[Json]:
    for name in graph.inputs:
        for axis, size in enumerate(graph.nodes[name].shape):
            side = ("channels", "height", "width")[axis]
            yield {
                "key": f"input:{name}:{axis}",
                "label": side if len(graph.inputs) == 1 else f"{side} of {name}",
                "type": "int" if axis else "channels",
                "value": size if isinstance(size, int) else None,
                "least": 1,
                "most": 10**6,
                "doc": "" if isinstance(size, int) or size is None else f"left open: {size}",
                "cite": "",
            }


def _repeats(graph: Graph, frames: Frames) -> Iterator[Json]:
    room = MOST_OPERATIONS - len(graph.nodes)
    for repeat in frames.repeats.values():
        region = graph.regions[repeat.region]
        first = _first_alike(graph, region, repeat.kept - 1)
        if repeat.is_fixed or repeat.count - first < 2 or _is_repeated(graph, frames, region):
            continue
        size = max(1, sum(1 for _ in graph.nodes_in(repeat.region)) // repeat.count)
        most = max(repeat.count, min(MOST_COPIES, repeat.count + room // size))
        yield {
            "key": f"repeat:{repeat.region}",
            "label": _title(graph, region),
            "type": "int",
            "value": repeat.count,
            "least": first,
            "most": most,
            "doc": "",
            "cite": "" if region.info.cite is None else str(region.info.cite),
        }


def _title(graph: Graph, repeat: Region) -> str:
    """Return what is repeated: by the title of its block, else by its name."""
    copy = graph.regions.get(repeat.members[0])
    block = graph.definitions.get((copy and copy.definition) or "")
    titles = (repeat.info.title, f"{block.title} ({repeat.name})" if block else "")
    return next(filter(None, titles), repeat.name) or repeat.name


def _is_repeated(graph: Graph, frames: Frames, region: Region) -> bool:
    """True inside a copy that is like one before it: what is set there is set in all of them."""
    around = graph.parents.get(region.name)
    name = region.name
    while around is not None:
        repeat = frames.repeats.get(around)
        if repeat is not None:
            outer = graph.regions[around]
            first = _first_alike(graph, outer, repeat.kept - 1)
            if outer.members.index(name) > first:
                return True
        name, around = around, graph.parents.get(around)
    return False


def _first_alike(graph: Graph, region: Region, first: int) -> int:
    """Return the copy from which on all give what enters them, so that a figure draws one."""
    left = [graph.tensor(name).shape for name in region.members]
    entering = [graph.nodes[region.inputs[0]].shape, *left]
    unlike = [at for at, shape in enumerate(left) if shape != entering[at]]
    return max([first, *(at + 1 for at in unlike)])
