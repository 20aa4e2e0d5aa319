"""The blocks of an emitted network as regions that torch.compile compiles once each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from backends.torch.module import PREFIX


def repeated_blocks(module: nn.Module) -> dict[type[nn.Module], int]:
    """Return the innermost block classes that are there more than once, with their counts."""
    counts = Counter(
        type(part)
        for part in module.modules()
        if _is_block(part) and not any(_is_block(inner) for inner in _inside(part))
    )
    return {block: count for block, count in counts.items() if count > 1}


def _is_block(module: nn.Module) -> bool:
    """Say whether a module is of an emitted class that has parts of emitted classes."""
    return _is_emitted(module) and any(map(_is_emitted, _inside(module)))


def _is_emitted(module: nn.Module) -> bool:
    return type(module).__module__.startswith(PREFIX)


def _inside(module: nn.Module) -> Iterator[nn.Module]:
    return (part for part in module.modules() if part is not module)


def mark_regions(module: nn.Module) -> int:
    """Have torch.compile compile each repeated block once from now on; return how many there are.

    The classes are changed, and with them every network of the same source.
    """
    blocks = repeated_blocks(module)
    compiler: Any = torch.compiler
    for block in blocks:
        setattr(block, "forward", compiler.nested_compile_region(block.forward))  # noqa: B010
    return sum(blocks.values())
