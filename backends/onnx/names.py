"""The one place that makes ONNX names: values, nodes, weights and functions, each unique."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from compiler.graph import Node


class UniqueNames:
    """Makes names unique: one that is in use gets a number behind `/`, which no spec can write.

    Args:
        used: names that are in use already.
    """

    def __init__(self, used: Iterable[str] = ()) -> None:
        self._used = set(used)
        self._given: dict[Hashable, str] = {}

    def of(self, thing: Hashable, wanted: str) -> str:
        """Return the name of a thing: the wanted one where nothing else has it."""
        if thing not in self._given:
            name, count = wanted, 1
            while name in self._used:
                count += 1
                name = f"{wanted}/{count}"
            self._used.add(name)
            self._given[thing] = name
        return self._given[thing]


@dataclass(frozen=True, slots=True)
class TensorNames:
    """How the tensors and weights of the graph are called in one function or the main graph."""

    prefix: str
    """What the names of the nodes in it begin with."""
    outside: Mapping[str, str]
    """Node -> the name of its tensor here, for those that come in."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Name of an output -> the node that makes it."""
    names: UniqueNames = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", UniqueNames((*self.outside.values(), *self.outputs)))

    def tensor(self, name: str) -> str:
        """Return the local name of the tensor that a node makes."""
        if name in self.outside:
            return self.outside[name]
        is_output = self.outputs.get(name) == name
        return name if is_output else self.names.of(("tensor", name), self.local(name))

    def weight(self, node: Node, suffix: str) -> str:
        """Return the local name of a weight; in the main graph shared ones bear the owner's."""
        owner = node.name if self.prefix else node.share or node.name
        return self.names.of(("weight", owner, suffix), f"{self.local(owner)}.{suffix}")

    def local(self, name: str) -> str:
        """Return a path as it is seen from here."""
        return name.removeprefix(self.prefix)


def unused(name: str, is_used: Callable[[str], bool]) -> str:
    """Return a name that is not in use: name, name_2, name_3, ..."""
    number, out = 1, name
    while is_used(out):
        number += 1
        out = f"{name}_{number}"
    return out
