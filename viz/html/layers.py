"""A layer of a spec in parts: its own fields, what it reads, its name, the layers inside it."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

from compiler.ops import COMMON, JOINS, JoinLayer, Layer, ShareLayer
from compiler.spec import BrokenLayer, ResidualLayer
from compiler.spec.naming import automatic_name, node_name
from compiler.text import Mapping as YamlMapping
from viz.html.formulas import formula_of

Json = dict[str, Any]
NESTED = frozenset(("branches", "split", "layers", "residual", "block", "join", "arguments"))
STRUCTURE = JOINS.keys() | NESTED | {"dropout", "drop_path", "word"}
"""Fields of layers that are written in another way than as a value."""


def fields_of(layer: Layer, default: Layer | None) -> Iterable[tuple[str, Any]]:
    """Yield the fields of a layer that are no structure: its own, else the network's."""
    if isinstance(layer, ShareLayer) and isinstance(layer.share, dict):
        yield from ((word, formula_of(rate)) for word, rate in layer.share.items())
    if isinstance(layer, ResidualLayer):
        yield "activation", layer.residual.activation
        if layer.residual.scale is not None:
            yield "scale", layer.residual.scale
    for field in type(layer).model_fields:
        if field in STRUCTURE or field in COMMON:
            continue
        value = getattr(layer, field)
        if default is not None and not layer.says(field) and default.says(field):
            value = getattr(default, field)
        if value is not None:
            yield field, value


def defaulted_fields(layer: Layer, default: Layer) -> list[str]:
    """Return the fields that a layer takes from the network's defaults."""
    return [f for f in type(layer).model_fields if not layer.says(f) and default.says(f)]


def reads_of(layer: Layer, params: Container[str]) -> Json:
    """Return the names that a layer reads; for a block's mapping also the inputs they are for.

    Args:
        layer: a layer.
        params: names that are parameters where it stands.
    """
    sized_by = layer.sized_by(params)
    if sized_by is not None:
        given = layer.common.inputs
        return {"from": [given if isinstance(given, str) else "prev", sized_by]}
    if isinstance(layer, JoinLayer):
        return {"from": list(layer.joined)}
    given = layer.common.inputs
    if given is None:
        return {}
    if isinstance(given, dict):
        return {"from": [str(r) for r in given.values()], "fromNames": [str(k) for k in given]}
    names = given if isinstance(given, list) else [given]
    return {"from": names} if all(isinstance(n, str) for n in names) else {}


def automatic_name_of(layer: Layer) -> str | None:
    """Return the name that a layer gets when it is given none, None for an unnamed scope."""
    node = layer._node
    if isinstance(layer, BrokenLayer):
        return (node_name(node) or None) if node is not None else None
    principal = node.get(layer.op) if isinstance(node, YamlMapping) else None
    return automatic_name(layer.op, principal)
