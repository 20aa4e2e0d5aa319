"""The small helpers that an emitted file may need: source text, each only where it is used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Helper:
    """A function or class of the emitted file; `needs` names helpers, `imports` modules."""

    source: str
    needs: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()


IMPORTS = {
    "math": "import math",
    "OrderedDict": "from collections import OrderedDict",
    "Any": "from typing import Any",
    "NamedTuple": "from typing import NamedTuple",
}
"""Word in the text -> the import that it needs, in the order of the file."""

HELPERS: dict[str, Helper] = {
    "chain": Helper(
        '''
def chain(**layers: nn.Module) -> nn.Sequential:
    """Run named layers one after the other."""
    return nn.Sequential(OrderedDict(layers))
''',
        imports=("OrderedDict",),
    ),
    "group": Helper(
        '''
def group(**layers: nn.Module) -> nn.ModuleDict:
    """Hold named layers that a forward pass calls one by one."""
    return nn.ModuleDict(layers)
'''
    ),
    "Group": Helper(
        '''
class Group(nn.Module):
    """Hold layers that a forward pass calls one by one, under names that nn.ModuleDict uses."""

    def __init__(self, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def __getitem__(self, name: str) -> nn.Module:
        """Return a layer."""
        return self.get_submodule(name)
'''
    ),
}
"""Name -> helper, in the order in which they stand in the file; the families of operations add
theirs."""


def closure(names: Iterable[str]) -> list[str]:
    """Return the helpers and those that they need, in file order."""
    wanted, stack = set(), list(names)
    while stack:
        name = stack.pop()
        if name not in wanted:
            wanted.add(name)
            stack.extend(HELPERS[name].needs)
    return [name for name in HELPERS if name in wanted]
