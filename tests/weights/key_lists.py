"""Published names and shapes of tensors, held in short form in `published/`.

A line is a kind, a layer and the shape of its weight. `{6-9}` stands for each of 6 to 9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

PUBLISHED = Path(__file__).with_name("published")
RANGE = re.compile(r"\{(\d+)-(\d+)\}")
NORM = ("weight", "bias", "running_mean", "running_var")


def key_list(name: str) -> dict[str, tuple[int, ...]]:
    """Return name -> shape of every tensor of a published state_dict."""
    lines = (PUBLISHED / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return {
        tensor: size
        for line in lines
        if not line.startswith("#")
        for layer in _each(line.split()[1])
        for tensor, size in _tensors(line.split()[0], layer, _size(line.split()[2]))
    }


def without(keys: dict[str, tuple[int, ...]], *prefixes: str) -> dict[str, tuple[int, ...]]:
    """Return a key list without the layers that begin so."""
    return {name: size for name, size in keys.items() if not name.startswith(prefixes)}


def _each(pattern: str) -> Iterator[str]:
    found = RANGE.search(pattern)
    if found is None:
        yield pattern
        return
    for i in range(int(found[1]), int(found[2]) + 1):
        yield RANGE.sub(str(i), pattern)


def _size(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("x")))


def _tensors(kind: str, layer: str, size: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the tensors of a layer.

    A `unit` is a convolution without bias and its batch norm, a `layer` has weight and bias,
    `plain` has a weight alone, `norm` is a batch norm, a `value` is a tensor by itself.
    """
    if kind == "unit":
        yield f"{layer}.conv.weight", size
        yield from _tensors("norm", f"{layer}.bn", size[:1])
    elif kind == "norm":
        yield from ((f"{layer}.{part}", size) for part in NORM)
        yield f"{layer}.num_batches_tracked", ()
    elif kind == "value":
        yield layer, size
    else:
        yield f"{layer}.weight", size
        if kind == "layer":
            yield f"{layer}.bias", size[:1]
