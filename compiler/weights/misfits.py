"""Does a set of tensors fit a network? Names and shapes only, so no torch is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

Size = tuple[int, ...]
Sizes = Mapping[str, Size]
"""Name of a tensor -> its shape."""

Fault = Literal["missing", "extra", "transposed", "classes", "shape", "type"]
WORDS: Mapping[Fault, str] = {
    "missing": "missing",
    "extra": "without a place",
    "transposed": "transposed",
    "classes": "with other classes",
    "shape": "of another shape",
    "type": "of another type",
}
COUNTER = "num_batches_tracked"
"""The batches that a batch norm has seen: bookkeeping that old checkpoints lack."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """One tensor that does not fit; `wanted` is the network's shape, `found` the file's."""

    name: str
    fault: Fault
    wanted: Size | None = None
    found: Size | None = None
    source: str = ""
    """The tensor's name in the file, where it is another one."""
    type: str = ""
    """The file's type, where that is what does not fit."""

    @property
    def sentence(self) -> str:
        """What is wrong, with the shapes."""
        name = f"`{self.name}`" + (f" (in the file `{self.source}`)" if self.source else "")
        if self.wanted is None:
            return f"{name} is {show(self.found)} and has no place in the network"
        if self.found is None:
            return f"{name} is missing; the network needs {show(self.wanted)}"
        if self.fault == "type":
            kind = "whole" if is_counter(self.name) else "floating-point"
            return f"{name} is of {self.type} where the network has {kind} numbers"
        text = f"{name} is {show(self.found)} where the network has {show(self.wanted)}"
        why = {"transposed": transposition(self.wanted, self.found), "classes": self._classes}
        return f"{text}: {why[self.fault]}" if self.fault in why else text

    @property
    def _classes(self) -> str:
        count, wanted = (self.found or (0,))[0], (self.wanted or (0,))[0]
        if count == wanted + 1:
            return f"{count} classes, the first of them TensorFlow's background class"
        return f"{count} classes"


def show(size: Size | None) -> str:
    """Return a shape as text: `32x3x3x3`, `scalar`."""
    if size is None:
        return "nothing"
    return "x".join(map(str, size)) or "scalar"


def misfit(name: str, wanted: Size, found: Size, source: str = "") -> Misfit:
    """Return what is wrong with a tensor of another shape: transposed, or simply another size."""
    fault: Fault = "transposed" if transposition(wanted, found) else "shape"
    return Misfit(name, fault, wanted, found, source)


def is_reshaped(wanted: Size, found: Size) -> bool:
    """Tell whether tensors differ in dimensions of 1: a linear layer is a 1x1 convolution."""
    return len(wanted) != len(found) and [n for n in wanted if n > 1] == [n for n in found if n > 1]


def transposition(wanted: Size, found: Size) -> str:
    """Return how `found` is a transposed `wanted`, or nothing where it is not."""
    if len(wanted) != len(found) or wanted == found or len(wanted) < 2:
        return ""
    if len(wanted) == 2:
        return "transposed (inputs x outputs)" if found == wanted[::-1] else ""
    if len(wanted) != 4:
        return ""
    out, channels, height, width = wanted
    known = {
        (out, channels, width, height): "the kernel is transposed (width x height)",
        (channels, out, height, width): "transposed (inputs first)",
        (height, width, channels, out): "transposed (TensorFlow's height x width x in x out)",
        (out, height, width, channels): "transposed (channels last)",
    }
    if found in known:
        return known[found]
    return "transposed" if found in set(permutations(wanted)) else ""


def is_counter(name: str) -> bool:
    """Tell whether a tensor only counts batches."""
    return name.rpartition(".")[2] == COUNTER


def layer_of(tensor: str) -> str:
    """Return the layer that a tensor belongs to: its name without the last step."""
    return tensor.rpartition(".")[0]


def sentences(misfits: Iterable[Misfit], most: int = 20) -> list[str]:
    """Return the misfits as lines, at most `most` of each kind, and how many more there are."""
    shown: dict[Fault, int] = {}
    out = []
    for found in misfits:
        shown[found.fault] = shown.get(found.fault, 0) + 1
        if shown[found.fault] <= most:
            out.append(found.sentence)
    rest = {fault: count - most for fault, count in shown.items() if count > most}
    return out + [f"and {count} more tensors: {WORDS[fault]}" for fault, count in rest.items()]
