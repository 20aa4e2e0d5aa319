"""Layers made from their models alone: what a field may hold is read off its type."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, get_args

from compiler.ops import OP_LAYERS, JoinLayer, Layer, WordLayer, read_activation
from compiler.ops.norm import read_norm
from compiler.text import grammar
from compiler.text.fields import Choice, Reader

VALUES: dict[Callable[[Any], Any], tuple[Any, ...]] = {
    grammar.read_formula: (2, 3),
    grammar.read_pair: ("2x2", "3x1"),
    grammar.read_sides: (0, "0x1"),
    grammar.read_padding: ("same", "V"),
    grammar.read_target: ("6x5", 2),
    grammar.read_border: (1, "0x2"),
    grammar.read_range: ([0, -1], [1, 3]),
    grammar.read_groups: (2, "depthwise"),
    grammar.read_bool: (True, False),
    grammar.read_true: (True,),
    grammar.read_text: ("none",),
    read_norm: ("none", "layer_norm"),
    grammar.read_word: ("none",),
    read_activation: ("relu", {"leaky_relu": 0.2}),
}
"""What reads a field -> values that it takes."""

OTHERWISE: dict[str, Any] = {
    "dropout": {"keep": 0.8},
    "drop_path": {"drop": 0.1},
    "index": 1,
    "leaky_relu": 0.2,
    "elu": 0.5,
    "gelu": "tanh",
    "prelu": "one",
}
"""Op -> an argument that its type does not tell."""


def readers(model: type[Layer]) -> dict[str, Callable[[Any], Any] | None]:
    """Return a layer's own fields, and what reads each; None where its type does not say."""
    return {
        name: next(_validators(info.annotation, info.metadata), None)
        for name, info in model.model_fields.items()
        if name not in model.hidden
    }


def _validators(annotation: Any, metadata: Any = ()) -> Iterator[Callable[[Any], Any]]:
    for item in metadata:
        if isinstance(item, Reader):
            yield item.func
    for part in get_args(annotation):
        yield from _validators(part, getattr(part, "__metadata__", ()))


def needed(model: type[Layer]) -> list[str]:
    """Return the fields of a layer that a spec gives at least, its own word first."""
    return [f for f in readers(model) if model.model_fields[f].is_required() or f in model.mostly]


def values(field: str, reader: Callable[[Any], Any] | None) -> tuple[Any, ...]:
    """Return values that a field takes."""
    if field in OTHERWISE:
        return (OTHERWISE[field],)
    if isinstance(reader, Choice):
        return reader.known
    if reader not in VALUES:
        raise AssertionError(f"tests/samples.py: no value for `{field}`, which {reader} reads")
    return VALUES[reader]


def samples(word: str) -> Iterator[Any]:
    """Yield layers of an op: the least that it takes, then each of its fields with each value."""
    model = OP_LAYERS[word]
    if issubclass(model, WordLayer):
        yield word
        return
    if issubclass(model, JoinLayer):
        yield {word: ["x", "prev"]}
        return
    fields = readers(model)
    first = {f: values(f, fields[f])[0] for f in needed(model)}
    yield first
    for field in fields:
        for value in itertools.islice(values(field, fields[field]), 2):
            if {**first, field: value} != first:
                yield {**first, field: value}
