"""What enters and leaves a network, and what its settings are: what code that calls it sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from compiler.compare.change import Change, Detail
from compiler.graph import Graph, Shape


def interface_changes(before: Graph, after: Graph, pairs: Mapping[str, str]) -> Iterator[Change]:
    """Yield inputs, outputs and parameters that are added, removed or others.

    `pairs` are the layers of the first network and what they are in the second.
    """
    yield from _each("input", _inputs(before), _inputs(after))
    yield from _each("output", _outputs(before, pairs), _outputs(after, {}))
    known = {p.name for p in before.params}  # a new one that is not set changes nothing
    yield from _each("parameter", _parameters(before), {
        name: said for name, said in _parameters(after).items() if name in known
    })  # fmt: skip
    if before.inputs != after.inputs and set(before.inputs) == set(after.inputs):
        yield _order("inputs", before.inputs, after.inputs)
    names = tuple(o.name for o in before.outputs), tuple(o.name for o in after.outputs)
    if names[0] != names[1] and set(names[0]) == set(names[1]):
        yield _order("outputs", *names)


Described = Mapping[str, Mapping[str, str]]
"""Name -> what is said of it -> in words."""


def _inputs(graph: Graph) -> Described:
    return {name: {"size": _size(graph.nodes[name].shape)} for name in graph.inputs}


def _outputs(graph: Graph, pairs: Mapping[str, str]) -> Described:
    layer = {m: r.name for r in graph.regions.values() if r.kind == "layer" for m in r.members}
    out = {}
    for output in graph.outputs:
        name = layer.get(output.node, output.node)
        out[output.name] = {
            "layer": pairs.get(name, name),
            "size": _size(graph.nodes[output.node].shape),
            "training only": str(output.training_only).lower(),
        }
    return out


def _parameters(graph: Graph) -> Described:
    return {p.name: {"type": p.type} for p in graph.params}


def _size(shape: Shape) -> str:
    return shape.paper


def _each(what: str, before: Described, after: Described) -> Iterator[Change]:
    for name in before:
        if name not in after:
            yield Change("removed", "interface", name, what, layers=0)
    for name, said in after.items():
        if name not in before:
            yield Change("added", "interface", name, what, layers=0)
            continue
        details = tuple(
            Detail(key, before[name][key], text, "interface")
            for key, text in said.items()
            if before[name][key] != text
        )
        if details:
            yield Change("changed", "interface", name, what, details=details, layers=0)


def _order(what: str, before: tuple[str, ...], after: tuple[str, ...]) -> Change:
    detail = Detail("order", ", ".join(before), ", ".join(after), "interface")
    return Change("changed", "interface", what, details=(detail,), layers=0)
