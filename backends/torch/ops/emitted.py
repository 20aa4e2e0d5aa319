"""The small helpers that an emitted file may need: source text, each only where it is used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Helper:
    """A function or class of the emitted file; `needs` names helpers, `imports` modules."""

    source: str
    needs: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()


IMPORTS = {
    "math": "import math",
    "partial": "from functools import partial",
    "OrderedDict": "from collections import OrderedDict",
    "Callable": "from collections.abc import Callable",
    "Sequence": "from collections.abc import Sequence",
    "Any": "from typing import Any",
    "NamedTuple": "from typing import NamedTuple",
}
"""Word in the text -> the import that it needs, in the order of the file."""

STRUCTURE: dict[str, Helper] = {
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
"""What holds layers; the other helpers stand with the family of operations that needs them."""
